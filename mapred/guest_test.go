package mapred

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// host writes a conversation and returns what the guest answered, frame by frame.
func host(t *testing.T, job Job, hello frames.Hello, write ...func(w *frames.Writer) error) ([]string, error) {
	t.Helper()
	var in, out bytes.Buffer
	w := frames.NewWriter(&in)
	errs := []error{w.WriteMessage(frames.TypeHello, hello)}
	for _, f := range write {
		errs = append(errs, f(w))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	served := Serve(t.Context(), job, &in, &out, io.Discard)
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

var mapping, reducing = frames.Hello{Role: frames.RoleMap}, frames.Hello{Role: frames.RoleReduce}

// lines is a BATCH, records are RECORDS of keys and values, end is END.
func lines(b record.Batch, data string) func(w *frames.Writer) error {
	b.Framing = record.Lines
	return func(w *frames.Writer) error {
		return w.Write(frames.TypeBatch, frames.AppendBatchHeader(nil, &b), []byte(data))
	}
}

func records(fields ...string) func(w *frames.Writer) error {
	var block []byte
	for ; len(fields) > 0; fields = fields[2:] {
		block = record.Append(block, []byte(fields[0]), []byte(fields[1]))
	}
	return func(w *frames.Writer) error { return w.Write(frames.TypeRecords, block) }
}

func end(w *frames.Writer) error { return w.Write(frames.TypeEnd) }

func words(_ context.Context, line Record, emit *Emitter) error {
	for word := range bytes.FieldsSeq(line.Value) {
		emit.Emit(word, []byte("1"))
	}
	return nil
}

func add(_ context.Context, key []byte, values iter.Seq[[]byte], emit *Emitter) error {
	total := int64(0)
	for v := range values {
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return err
		}
		total += n
	}
	emit.EmitInts(key, total)
	return nil
}

func countJob() Job {
	return Job{Mapper: MapFunc(words), Combiner: ReduceFunc(add), Reducer: ReduceFunc(add)}
}

func columnsJob(columns ...Op) Job {
	return Job{Columns: columns, Mapper: MapFunc(func(_ context.Context, line Record, emit *Emitter) error {
		for word := range bytes.FieldsSeq(line.Value) {
			ints := make([]int64, len(columns))
			for i := range ints {
				ints[i] = int64(len(line.Value)) // of the line
			}
			emit.EmitInts(word, ints...)
		}
		return nil
	})}
}

func wantAnswer(t *testing.T, answer []string, err error, want ...string) {
	t.Helper()
	if err != nil || strings.Join(answer, "|") != strings.Join(want, "|") {
		t.Errorf("want %q, have %q, %v", want, answer, err)
	}
}

func TestServeMapsAndCombines(t *testing.T) {
	answer, err := host(t, countJob(), mapping, lines(record.Batch{Input: "f"}, "b a\na"), lines(record.Batch{Input: "f"}, "a\n"), end)
	wantAnswer(t, answer, err, "READY \x01"+`{"has_combine":true}`, "RECORDS \x01\x01a3\x01\x01b1", `DONE {"map_output":4}`)
}

// What a mapper emits when it is closed is combined, too.
func TestServeClosesTheMapperBeforeTheLastCombine(t *testing.T) {
	job := countJob()
	job.Mapper = &closing{}
	answer, err := host(t, job, mapping, lines(record.Batch{}, "a\na\n"), end)
	wantAnswer(t, answer, err, "READY \x01"+`{"has_combine":true}`, "RECORDS \x01\x01a2\x03\x01end2", `DONE {"map_output":3}`)
}

// closing emits every line, and how many there were at the end.
type closing struct{ lines int64 }

func (c *closing) Map(ctx context.Context, line Record, emit *Emitter) error {
	c.lines++
	return words(ctx, line, emit)
}

func (c *closing) Close(_ context.Context, emit *Emitter) error {
	emit.EmitInts([]byte("end"), c.lines)
	return nil
}

func TestServeReduces(t *testing.T) {
	answer, err := host(t, countJob(), reducing, records("a", "20"), records("a", "3", "b", "1"), end)
	wantAnswer(t, answer, err, "READY \x01"+`{"has_combine":true}`, "RECORDS \x01\x02a23\x01\x01b1", "DONE {}")
}

func TestServeCombinesColumns(t *testing.T) {
	answer, err := host(t, columnsJob(Sum, Max), mapping, lines(record.Batch{}, "a\na b\n"), end)
	if err != nil || len(answer) != 3 || answer[2] != `DONE {"map_output":3}` {
		t.Fatal(answer, err)
	}
	// In no order: a has 1+3 and 3, b has 3 and 3, as zig-zag varints.
	if got := answer[1]; got != "RECORDS \x01\x02a\x08\x06\x01\x02b\x06\x06" && got != "RECORDS \x01\x02b\x06\x06\x01\x02a\x08\x06" {
		t.Errorf("%q", got)
	}
}

func TestServeReducesColumns(t *testing.T) {
	one := string(record.AppendInts(nil, 5, -7))
	large := string(record.AppendInts(nil, math.MaxInt64, math.MaxInt64))
	answer, err := host(t, columnsJob(Sum, Min), reducing, records("a", one, "a", large), records("a", large, "b", one), end)
	wantAnswer(t, answer, err, "READY \x01"+`{"has_combine":true}`, "RECORDS \x01\x17a18446744073709551619\t-7\x01\x04b5\t-7", "DONE {}")

	job := columnsJob(Sum, Min)
	job.Totals = TotalsFunc(func(_ context.Context, key []byte, totals []int64, emit *Emitter) error {
		emit.EmitInts(key, totals[1], totals[0])
		return nil
	})
	answer, err = host(t, job, reducing, records("b", one, "b", one), end)
	wantAnswer(t, answer, err, "READY \x01"+`{"has_combine":true}`, "RECORDS \x01\x05b-7\t10", "DONE {}")

	_, err = host(t, job, reducing, records("a", large, "a", large), end)
	if err == nil || !strings.Contains(err.Error(), "beyond 64 bits: 18446744073709551614") {
		t.Error(err)
	}
	_, err = host(t, job, reducing, records("a", "x"), end)
	if !errors.Is(err, record.ErrCorrupt) {
		t.Error(err)
	}
}

func TestServeEmitsColumnsAsTextWithoutReducers(t *testing.T) {
	hello := mapping
	hello.MapOnly = true
	answer, err := host(t, columnsJob(Sum, Max), hello, lines(record.Batch{}, "a\na b\n"), end)
	wantAnswer(t, answer, err, "READY \x01"+`{"has_combine":true}`, "RECORDS \x01\x03a1\t1\x01\x03a3\t3\x01\x03b3\t3", "DONE {}")
}

// However small the table is, and even if nothing can be combined, all that is emitted arrives.
func TestColumnsBufferKeepsEverything(t *testing.T) {
	for _, keys := range []int{10, 1000, 1 << 30} {
		for _, columns := range []Columns{{Sum}, {Sum, Sum}} {
			total, records := int64(0), 0
			out := record.NewEmitter(1<<10, func(block []byte) ([]byte, error) {
				for len(block) > 0 {
					_, value, n, err := record.Read(block)
					if err != nil {
						return nil, err
					}
					ints := make([]int64, len(columns))
					if err := columns.encoding().Decode(ints, value); err != nil {
						return nil, err
					}
					total, records, block = total+ints[0], records+1, block[n:]
				}
				return nil, nil
			})
			emit := &Emitter{records: out, width: len(columns), columns: newColumnsBuffer(columns.encoding(), 2<<20, out)}
			want := int64(0)
			for i := range int64(20_000) {
				key := strconv.AppendInt(nil, i*7919%int64(keys), 10)
				if i%5 == 0 {
					key = append(key, "; longer than 16 bytes"...)
				}
				emit.EmitInts(key, make([]int64, len(columns)-1)...) // too few: must change nothing
				emit.misused = nil
				emit.EmitInts(key, append([]int64{i}, make([]int64, len(columns)-1)...)...)
				want += i
			}
			if err := emit.flush(); err != nil {
				t.Fatal(err)
			}
			if total != want || emit.count() != 20_000 {
				t.Errorf("%d keys, %d columns: the sum is %d of %d, %d records", keys, len(columns), total, want, emit.count())
			}
			if keys == 1000 && records > 15_000 {
				t.Errorf("%d records are left", records)
			}
		}
	}
}

func TestServeReportsErrorsWithTheRecord(t *testing.T) {
	job := Job{Mapper: MapFunc(func(_ context.Context, line Record, _ *Emitter) error {
		switch string(line.Value) {
		case "bad":
			return errors.New("cannot do this")
		case "worse":
			panic("a mistake")
		}
		return nil
	})}
	hello := mapping
	hello.MapOnly = true
	answer, err := host(t, job, hello, lines(record.Batch{Input: "f", Offset: 100}, "good\nbad\n"))
	want := `ERROR {"message":"map: cannot do this","record":{"input":"f","offset":105,"value":"\"bad\""}}`
	if err == nil || len(answer) != 2 || answer[1] != want {
		t.Errorf("want %s, have %q, %v", want, answer, err)
	}

	answer, err = host(t, job, hello, lines(record.Batch{Input: "f"}, "good\nworse\n"))
	if err == nil || len(answer) != 2 {
		t.Fatal(answer, err)
	}
	var failure frames.Failure
	if err := frames.Decode(frames.TypeError, []byte(strings.TrimPrefix(answer[1], "ERROR ")), &failure); err != nil {
		t.Fatal(err)
	}
	if failure.Message != "panic: a mistake" || failure.Record == nil || failure.Record.Offset != 5 {
		t.Errorf("%+v", failure)
	}
}

func TestServeReportsErrorsWithTheKey(t *testing.T) {
	for name, c := range map[string]struct {
		hello frames.Hello
		input func(*frames.Writer) error
		want  string
	}{
		"reduce":  {reducing, records("a", "1", "b", "x"), `reduce: strconv.ParseInt`},
		"combine": {mapping, lines(record.Batch{Input: "f"}, "b\n"), `combine: strconv.ParseInt`},
	} {
		job := countJob()
		job.Mapper = MapFunc(func(_ context.Context, line Record, emit *Emitter) error {
			emit.EmitString(string(line.Value), "x")
			return nil
		})
		answer, err := host(t, job, c.hello, c.input, end)
		last := answer[len(answer)-1]
		if err == nil || !strings.Contains(last, c.want) || !strings.Contains(last, `"key":"\"b\""`) {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
}

// A stream that breaks off looks to a reducer like the end of a key's values. The attempt fails all
// the same.
func TestServeFailsIfTheStreamBreaksOff(t *testing.T) {
	broken := func(w *frames.Writer) error { return w.Write(frames.TypeRecords, []byte("\x01\x01a")) }
	for name, job := range map[string]Job{"values": countJob(), "columns": columnsJob(Sum)} {
		value := "1"
		if name == "columns" {
			value = "\x02"
		}
		answer, err := host(t, job, reducing, records("a", value), broken, end)
		if !errors.Is(err, record.ErrCorrupt) || !strings.HasPrefix(answer[len(answer)-1], "ERROR ") {
			t.Errorf("%s, broken: %q, %v", name, answer, err)
		}
		answer, err = host(t, job, reducing, records("a", value))
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(answer[len(answer)-1], "ERROR ") {
			t.Errorf("%s, cut: %q, %v", name, answer, err)
		}
	}
	answer, err := host(t, countJob(), mapping, lines(record.Batch{}, "a\n"))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("want io.ErrUnexpectedEOF, have %v, %q", err, answer)
	}
}

// A program that waits for something learns that its executor is gone.
func TestTheContextEndsWithTheExecutor(t *testing.T) {
	in, executor := io.Pipe()
	job := Job{Mapper: MapFunc(func(ctx context.Context, _ Record, _ *Emitter) error {
		go executor.Close()
		<-ctx.Done()
		return context.Cause(ctx)
	})}
	served := make(chan error)
	go func() { served <- Serve(t.Context(), job, in, io.Discard, io.Discard) }()
	w := frames.NewWriter(executor)
	err := errors.Join(
		w.WriteMessage(frames.TypeHello, frames.Hello{Role: frames.RoleMap, MapOnly: true}),
		lines(record.Batch{}, "x\n")(w))
	if err != nil {
		t.Fatal(err)
	}
	if err := <-served; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestServeTakesEmptyBatches(t *testing.T) {
	empty := func(w *frames.Writer) error { return w.Write(frames.TypeRecords) }
	answer, err := host(t, countJob(), reducing, empty, empty, empty, records("a", "1"), end)
	if err != nil || len(answer) != 3 {
		t.Error(answer, err)
	}
}

func TestServeEndsWithoutHost(t *testing.T) {
	if err := Serve(t.Context(), countJob(), strings.NewReader(""), io.Discard, io.Discard); !errors.Is(err, errNoHost) {
		t.Errorf("want errNoHost, have %v", err)
	}
}

func TestCombineBufferOverflows(t *testing.T) {
	counts := map[string]int{}
	out := &Emitter{records: record.NewEmitter(1<<20, func(block []byte) ([]byte, error) {
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
	})}
	buffer := &combineBuffer{ctx: t.Context(), guest: &guest{job: countJob()}, out: out}
	emit := buffer.emitter()
	long := strings.Repeat("x", combineBufferLen/64)
	for i := range 200 {
		emit.Emit([]byte(long[:len(long)-i%2]), []byte("1"))
	}
	if err := errors.Join(emit.Flush(), out.flush()); err != nil {
		t.Fatal(err)
	}
	if counts[long] != 100 || counts[long[:len(long)-1]] != 100 {
		t.Error("the sums are wrong")
	}
	if records := out.count(); records > 20 {
		t.Errorf("%d records are left of 200", records)
	}
}
