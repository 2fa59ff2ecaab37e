package mapred

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// host writes a conversation and returns what the guest answered, frame by frame.
func host(t *testing.T, job Job, write func(w *frames.Writer) error) ([]string, error) {
	t.Helper()
	var in, out bytes.Buffer
	if err := write(frames.NewWriter(&in)); err != nil {
		t.Fatal(err)
	}
	served := Serve(job, &in, &out)
	var answer []string
	r := frames.NewReader(&out)
	for {
		kind, payload, err := r.Next(nil)
		if err == io.EOF {
			return answer, served
		}
		if err != nil {
			t.Fatal(err)
		}
		answer = append(answer, fmt.Sprintf("%v %s", kind, payload))
	}
}

func countJob() Job {
	count := ReduceFunc(func(key []byte, values *Values, emit *record.Emitter) error {
		total := 0
		for v, ok := values.Next(); ok; v, ok = values.Next() {
			n, err := strconv.Atoi(string(v))
			if err != nil {
				return err
			}
			total += n
		}
		emit.Emit(key, strconv.AppendInt(nil, int64(total), 10))
		return nil
	})
	return Job{
		Mapper: MapFunc(func(_, value []byte, emit *record.Emitter) error {
			for word := range bytes.FieldsSeq(value) {
				emit.Emit(word, []byte("1"))
			}
			return nil
		}),
		Combiner: count,
		Reducer:  count,
	}
}

func TestServeMapsAndCombines(t *testing.T) {
	answer, err := host(t, countJob(), func(w *frames.Writer) error {
		b := record.Batch{Input: "f", Framing: record.Lines}
		return errors.Join(
			w.WriteMessage(frames.TypeHello, frames.Hello{Role: frames.RoleMap}),
			w.Write(frames.TypeBatch, frames.AppendBatchHeader(nil, &b), []byte("b a\na")),
			w.Write(frames.TypeBatch, frames.AppendBatchHeader(nil, &b), []byte("a\n")),
			w.Write(frames.TypeEnd))
	})
	want := []string{
		"READY \x01" + `{"has_combine":true}`,
		"RECORDS \x01\x01a3\x01\x01b1",
		`DONE {"map_output":4}`,
	}
	if err != nil || strings.Join(answer, "|") != strings.Join(want, "|") {
		t.Errorf("want %q, have %q, %v", want, answer, err)
	}
}

func TestServeReduces(t *testing.T) {
	answer, err := host(t, countJob(), func(w *frames.Writer) error {
		return errors.Join(
			w.WriteMessage(frames.TypeHello, frames.Hello{Role: frames.RoleReduce}),
			w.Write(frames.TypeRecords, record.Append(nil, []byte("a"), []byte("20"))),
			w.Write(frames.TypeRecords, record.Append(record.Append(nil, []byte("a"), []byte("3")), []byte("b"), []byte("1"))),
			w.Write(frames.TypeEnd))
	})
	want := "RECORDS \x01\x02a23\x01\x01b1"
	if err != nil || len(answer) != 3 || answer[1] != want {
		t.Errorf("want %q, have %q, %v", want, answer, err)
	}
}

func TestServeReportsErrorsWithTheRecord(t *testing.T) {
	answer, err := host(t, Job{
		Mapper: MapFunc(func(_, value []byte, _ *record.Emitter) error {
			if string(value) == "bad" {
				return errors.New("cannot do this")
			}
			return nil
		}),
	}, func(w *frames.Writer) error {
		return errors.Join(
			w.WriteMessage(frames.TypeHello, frames.Hello{Role: frames.RoleMap}),
			w.Write(frames.TypeBatch, frames.AppendBatchHeader(nil, &record.Batch{Input: "f", Offset: 100, Framing: record.Lines}), []byte("good\nbad\n")))
	})
	want := `ERROR {"message":"map: cannot do this","record":{"input":"f","offset":105,"value":"\"bad\""}}`
	if err == nil || len(answer) != 2 || answer[1] != want {
		t.Errorf("want %s, have %q, %v", want, answer, err)
	}
}

func TestServeEndsWithoutHost(t *testing.T) {
	if err := Serve(countJob(), strings.NewReader(""), io.Discard); !errors.Is(err, errNoHost) {
		t.Errorf("want errNoHost, have %v", err)
	}
	answer, err := host(t, countJob(), func(w *frames.Writer) error {
		return w.WriteMessage(frames.TypeHello, frames.Hello{Role: frames.RoleMap})
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("want io.ErrUnexpectedEOF, have %v, %q", err, answer)
	}
}

func TestServeChecks(t *testing.T) {
	check := func(hello frames.Hello, job Job) error {
		_, err := host(t, job, func(w *frames.Writer) error { return w.WriteMessage(frames.TypeHello, hello) })
		return err
	}
	mapOnly := Job{Mapper: countJob().Mapper}
	if err := check(frames.Hello{Role: frames.RoleCheck}, countJob()); err != nil {
		t.Error(err)
	}
	if err := check(frames.Hello{Role: frames.RoleCheck, MapOnly: true}, mapOnly); err != nil {
		t.Error(err)
	}
	if err := check(frames.Hello{Role: frames.RoleCheck}, mapOnly); err == nil {
		t.Error("a program without a reducer passes")
	}
	mapOnly.Setup = func(*Task) error { return errors.New("no such parameter") }
	if err := check(frames.Hello{Role: frames.RoleMap}, mapOnly); err == nil || err.Error() != "setup: no such parameter" {
		t.Errorf("setup's error is %v", err)
	}
}

func TestCombineBufferOverflows(t *testing.T) {
	counts := map[string]int{}
	out := record.NewEmitter(1<<20, func(block []byte) ([]byte, error) {
		for len(block) > 0 {
			k, v, n, err := record.Read(block)
			if err != nil {
				return nil, err
			}
			c, err := strconv.Atoi(string(v))
			if err != nil {
				return nil, err
			}
			counts[string(k)] += c
			block = block[n:]
		}
		return nil, nil
	})
	emit := newCombineBuffer(countJob().Combiner, out).emitter()
	long := strings.Repeat("x", combineBufferLen/64)
	for i := range 200 {
		emit.Emit([]byte(long[:len(long)-i%2]), []byte("1"))
	}
	if err := errors.Join(emit.Flush(), out.Flush()); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{long: 100, long[:len(long)-1]: 100}; !maps.Equal(counts, want) {
		t.Error("the sums are wrong")
	}
	if records, _ := out.Count(); records > 20 {
		t.Errorf("%d records are left of 200", records)
	}
}

func TestServeRefusesCountersBeyond64Bits(t *testing.T) {
	var task *Task
	job := Job{Setup: func(t *Task) error { task = t; return nil }}
	job.Mapper = MapFunc(func(_, _ []byte, _ *record.Emitter) error {
		task.Count("small", 1)
		task.Count("n", math.MinInt64)
		task.Count("n", -1)
		return nil
	})
	answer, err := host(t, job, func(w *frames.Writer) error {
		return errors.Join(w.WriteMessage(frames.TypeHello, frames.Hello{Role: frames.RoleMap}),
			w.Write(frames.TypeBatch, frames.AppendBatchHeader(nil, &record.Batch{Framing: record.Lines}), []byte("x\n")), w.Write(frames.TypeEnd))
	})
	want := `ERROR {"message":"the counter \"n\" is beyond 64 bits"}`
	if err == nil || len(answer) != 2 || answer[1] != want {
		t.Errorf("want %s, have %q, %v", want, answer, err)
	}
}
