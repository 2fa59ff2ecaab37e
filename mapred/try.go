package mapred

import (
	"bytes"
	"io"
	"slices"
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
func Try(job Job, params map[string]string, input Batch) (*Trial, error) {
	trial := &Trial{Counters: map[string]int64{}}
	hello := Hello{Role: RoleMap, Params: params, Reducers: 1, MapOnly: job.Reducer == nil}
	if hello.MapOnly {
		hello.Reducers = 0
	}
	pairs, err := trial.serve(job, hello, func(w *FrameWriter) error {
		return w.Write(FrameBatch, AppendBatchHeader(nil, &input), input.Data)
	})
	if err == nil && !hello.MapOnly {
		slices.SortStableFunc(pairs, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
		var block []byte
		for _, p := range pairs {
			block = AppendRecord(block, p.key, p.value)
		}
		hello.Role = RoleReduce
		pairs, err = trial.serve(job, hello, func(w *FrameWriter) error { return w.Write(FrameRecords, block) })
	}
	for _, p := range pairs {
		trial.Output = append(trial.Output, string(p.key)+"\t"+string(p.value))
	}
	return trial, err
}

type pair struct{ key, value []byte }

// serve has one conversation with the job, and returns the records that it gives.
func (t *Trial) serve(job Job, hello Hello, input func(*FrameWriter) error) (pairs []pair, err error) {
	var in, out bytes.Buffer
	w := NewFrameWriter(&in)
	if err := w.WriteMessage(FrameHello, hello); err != nil {
		return nil, err
	}
	if err := input(w); err != nil {
		return nil, err
	}
	if err := w.Write(FrameEnd); err != nil {
		return nil, err
	}
	if err := Serve(job, &in, &out); err != nil {
		return nil, err
	}
	for r := NewFrameReader(&out); ; {
		kind, payload, err := r.Next(nil)
		switch {
		case err == io.EOF:
			return pairs, nil
		case err != nil:
			return nil, err
		case kind == FrameDone:
			var done Done
			if err := DecodeMessage(kind, payload, &done); err != nil {
				return nil, err
			}
			for name, n := range done.Counters {
				t.Counters[name] += n
			}
		case kind == FrameRecords:
			for len(payload) > 0 {
				key, value, n, err := ReadRecord(payload)
				if err != nil {
					return nil, err
				}
				pairs = append(pairs, pair{key, value})
				payload = payload[n:]
			}
		}
	}
}
