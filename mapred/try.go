package mapred

import (
	"bytes"
	"io"
	"slices"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// A Trial is what a job made of some records.
type Trial struct {
	// Output holds the records that the reducer emitted, or the mapper in a job without reducer, as the
	// lines of a part: key, tab, value.
	Output   []string
	Counters map[string]int64
}

// Try runs job on a batch of records, in memory and without an executor. It is for tests of programs,
// which read it like a job with one map task and one reduce task:
//
//	got, err := mapred.Try(job, nil, mapred.Batch{Framing: mapred.Lines, Data: []byte("a b\nb\n")})
func Try(job Job, params map[string]string, input record.Batch) (*Trial, error) {
	trial := &Trial{Counters: map[string]int64{}}
	hello := frames.Hello{Role: frames.RoleMap, Params: params, Reducers: 1, MapOnly: job.Reducer == nil}
	if hello.MapOnly {
		hello.Reducers = 0
	}
	pairs, err := trial.serve(job, hello, func(w *frames.Writer) error {
		return w.Write(frames.TypeBatch, frames.AppendBatchHeader(nil, &input), input.Data)
	})
	if err == nil && !hello.MapOnly {
		slices.SortStableFunc(pairs, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
		var block []byte
		for _, p := range pairs {
			block = record.Append(block, p.key, p.value)
		}
		hello.Role = frames.RoleReduce
		pairs, err = trial.serve(job, hello, func(w *frames.Writer) error { return w.Write(frames.TypeRecords, block) })
	}
	for _, p := range pairs {
		trial.Output = append(trial.Output, string(p.key)+"\t"+string(p.value))
	}
	return trial, err
}

type pair struct{ key, value []byte }

// serve has one conversation with the job, and returns the records that it gives.
func (t *Trial) serve(job Job, hello frames.Hello, input func(*frames.Writer) error) (pairs []pair, err error) {
	var in, out bytes.Buffer
	w := frames.NewWriter(&in)
	if err := w.WriteMessage(frames.TypeHello, hello); err != nil {
		return nil, err
	}
	if err := input(w); err != nil {
		return nil, err
	}
	if err := w.Write(frames.TypeEnd); err != nil {
		return nil, err
	}
	if err := Serve(job, &in, &out); err != nil {
		return nil, err
	}
	for r := frames.NewReader(&out); ; {
		kind, payload, err := r.Next(nil)
		switch {
		case err == io.EOF:
			return pairs, nil
		case err != nil:
			return nil, err
		case kind == frames.TypeDone:
			var done frames.Done
			if err := frames.Decode(kind, payload, &done); err != nil {
				return nil, err
			}
			for name, n := range done.Counters {
				t.Counters[name] += n
			}
		case kind == frames.TypeRecords:
			for len(payload) > 0 {
				key, value, n, err := record.Read(payload)
				if err != nil {
					return nil, err
				}
				pairs = append(pairs, pair{key, value})
				payload = payload[n:]
			}
		}
	}
}
