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
)

// host writes a conversation and returns what the guest answered, frame by frame.
func host(t *testing.T, job Job, write func(w *FrameWriter) error) ([]string, error) {
	t.Helper()
	var in, out bytes.Buffer
	if err := write(NewFrameWriter(&in)); err != nil {
		t.Fatal(err)
	}
	served := Serve(job, &in, &out)
	var answer []string
	r := NewFrameReader(&out)
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
	count := ReduceFunc(func(key []byte, values *Values, emit *Emitter) error {
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
		Mapper: MapFunc(func(_, value []byte, emit *Emitter) error {
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
	answer, err := host(t, countJob(), func(w *FrameWriter) error {
		b := Batch{Input: "f", Framing: Lines}
		return errors.Join(
			w.WriteMessage(FrameHello, Hello{Role: RoleMap}),
			w.Write(FrameBatch, AppendBatchHeader(nil, &b), []byte("b a\na")),
			w.Write(FrameBatch, AppendBatchHeader(nil, &b), []byte("a\n")),
			w.Write(FrameEnd))
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
	answer, err := host(t, countJob(), func(w *FrameWriter) error {
		return errors.Join(
			w.WriteMessage(FrameHello, Hello{Role: RoleReduce}),
			w.Write(FrameRecords, AppendRecord(nil, []byte("a"), []byte("20"))),
			w.Write(FrameRecords, AppendRecord(AppendRecord(nil, []byte("a"), []byte("3")), []byte("b"), []byte("1"))),
			w.Write(FrameEnd))
	})
	want := "RECORDS \x01\x02a23\x01\x01b1"
	if err != nil || len(answer) != 3 || answer[1] != want {
		t.Errorf("want %q, have %q, %v", want, answer, err)
	}
}

func TestServeReportsErrorsWithTheRecord(t *testing.T) {
	answer, err := host(t, Job{
		Mapper: MapFunc(func(_, value []byte, _ *Emitter) error {
			if string(value) == "bad" {
				return errors.New("cannot do this")
			}
			return nil
		}),
	}, func(w *FrameWriter) error {
		return errors.Join(
			w.WriteMessage(FrameHello, Hello{Role: RoleMap}),
			w.Write(FrameBatch, AppendBatchHeader(nil, &Batch{Input: "f", Offset: 100, Framing: Lines}), []byte("good\nbad\n")))
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
	answer, err := host(t, countJob(), func(w *FrameWriter) error {
		return w.WriteMessage(FrameHello, Hello{Role: RoleMap})
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("want io.ErrUnexpectedEOF, have %v, %q", err, answer)
	}
}

func TestServeChecks(t *testing.T) {
	check := func(hello Hello, job Job) error {
		_, err := host(t, job, func(w *FrameWriter) error { return w.WriteMessage(FrameHello, hello) })
		return err
	}
	mapOnly := Job{Mapper: countJob().Mapper}
	if err := check(Hello{Role: RoleCheck}, countJob()); err != nil {
		t.Error(err)
	}
	if err := check(Hello{Role: RoleCheck, MapOnly: true}, mapOnly); err != nil {
		t.Error(err)
	}
	if err := check(Hello{Role: RoleCheck}, mapOnly); err == nil {
		t.Error("a program without a reducer passes")
	}
	mapOnly.Setup = func(*Task) error { return errors.New("no such parameter") }
	if err := check(Hello{Role: RoleMap}, mapOnly); err == nil || err.Error() != "setup: no such parameter" {
		t.Errorf("setup's error is %v", err)
	}
}

func TestCombineBufferOverflows(t *testing.T) {
	counts := map[string]int{}
	out := NewEmitter(1<<20, func(block []byte) ([]byte, error) {
		for len(block) > 0 {
			k, v, n, err := ReadRecord(block)
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
	job.Mapper = MapFunc(func(_, _ []byte, _ *Emitter) error {
		task.Count("small", 1)
		task.Count("n", math.MinInt64)
		task.Count("n", -1)
		return nil
	})
	answer, err := host(t, job, func(w *FrameWriter) error {
		return errors.Join(w.WriteMessage(FrameHello, Hello{Role: RoleMap}),
			w.Write(FrameBatch, AppendBatchHeader(nil, &Batch{Framing: Lines}), []byte("x\n")), w.Write(FrameEnd))
	})
	want := `ERROR {"message":"the counter \"n\" is beyond 64 bits"}`
	if err == nil || len(answer) != 2 || answer[1] != want {
		t.Errorf("want %s, have %q, %v", want, answer, err)
	}
}
