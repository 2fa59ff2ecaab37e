package mapred

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// A Mapper turns input records into intermediate ones.
type Mapper interface {
	// Map is called with every record. The key is its offset in the input object, as 8 bytes
	// big endian; Task.Input names that object. Key and value are valid during the call.
	Map(key, value []byte, emit *record.Emitter) error
}

// A Reducer turns the values of one key into output records, or, as a combiner, into
// fewer intermediate ones.
type Reducer interface {
	// Reduce is called once for every key, in the keys' order. The key is valid during the
	// call, each value until the next one is asked for. Values that are not read are skipped.
	Reduce(key []byte, values *Values, emit *record.Emitter) error
}

// MapFunc is a function as a Mapper.
type MapFunc func(key, value []byte, emit *record.Emitter) error

// Map calls f.
func (f MapFunc) Map(key, value []byte, emit *record.Emitter) error { return f(key, value, emit) }

// ReduceFunc is a function as a Reducer.
type ReduceFunc func(key []byte, values *Values, emit *record.Emitter) error

// Reduce calls f.
func (f ReduceFunc) Reduce(key []byte, values *Values, emit *record.Emitter) error {
	return f(key, values, emit)
}

// A Job is a MapReduce program.
type Job struct {
	Mapper Mapper
	// Combiner shrinks a mapper's output before it is shuffled; may be nil. It must emit
	// under the key that it got, and combine its own output as well as the mapper's. It is
	// called any number of times, also not at all.
	Combiner Reducer
	// Reducer may be nil in a program that is only ever run without reducers.
	Reducer Reducer
	// Setup is called once before anything else; may be nil. It is the place to read
	// parameters, and its error fails the job before it starts.
	Setup func(*Task) error
}

// Task is what a running program may know and tell.
type Task struct {
	// Hello is what the host said at the start: the role, the job's parameters, the
	// attempt.
	frames.Hello
	// Input is the URL of the object that Map's records come from; it changes between calls.
	Input string
	// Header is the first line of that object, without its end, if the job's format is csv or
	// csv-multiline: it names the columns. It changes with Input, and is valid as long.
	Header   []byte
	counters map[string]int64
	overflow error // of the first counter that did
}

// Count adds n to a counter of the job. If that is too much for 64 bits, the attempt fails.
func (t *Task) Count(name string, n int64) {
	if t.counters == nil {
		t.counters = map[string]int64{}
	}
	sum := t.counters[name] + n
	if (sum^n)&(sum^t.counters[name]) < 0 && t.overflow == nil {
		t.overflow = fmt.Errorf("the counter %q is beyond 64 bits", name)
	}
	t.counters[name] = sum
}

// Values are the values of one key, streamed: there may be more than fit in memory.
type Values struct {
	groups *record.Groups
}

// Next returns the next value, or false after the last one.
func (v *Values) Next() ([]byte, bool) { return v.groups.Value() }

// All yields the values that are left. They can be read once.
func (v *Values) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for value, ok := v.Next(); ok && yield(value); {
			value, ok = v.Next()
		}
	}
}

// Main runs job as the guest of an executor, on standard input and output, and ends the
// process: with status 0 when all went well. While it runs, os.Stdout is standard error, so
// that printing does no harm. A func main calls nothing else.
func Main(job Job) {
	protocol := os.Stdout
	os.Stdout = os.Stderr
	err := Serve(job, os.Stdin, protocol)
	if err == nil {
		os.Exit(0)
	}
	if errors.Is(err, errNoHost) {
		fmt.Fprintln(os.Stderr, "this is a Bucketmill program: bucketmill run", os.Args[0], "--input … --output …")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

var errNoHost = errors.New("no host on standard input")

// Serve is Main without the process: it speaks the guest's side of the protocol on in and
// out. The error, if any, has been sent to the host already where that was possible.
func Serve(job Job, in io.Reader, out io.Writer) error {
	g := &guest{job: job, in: frames.NewReader(in), out: frames.NewWriter(out)}
	if err := g.hello(); err != nil {
		return err
	}
	err := g.run()
	if err == nil {
		return nil
	}
	failure := frames.Failure{Message: err.Error(), Record: g.record()}
	if werr := g.out.WriteMessage(frames.TypeError, failure); werr != nil {
		return errors.Join(err, werr)
	}
	return err
}
