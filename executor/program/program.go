package program

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Spec names a job's program.
type Spec struct {
	// Kind is the name of the program's kind.
	Kind string
	// Name is a builtin's name, or the base name of the file, as errors show it.
	Name string
	// MapOnly says that the job has no reducers; Check then asks for none.
	MapOnly bool
	// Params are the job's; a program that does not know one of them refuses it, if it is a
	// builtin.
	Params map[string]string
	// Commands are a streaming program's.
	Commands Commands
	// Files are the local paths of the files that were sent along, by their names in the working folder. A Python
	// program imports those that lie beside its own file; Check looks at them all as if they did.
	Files map[string]string
}

// Config is how an executor runs programs. The zero Config is ready to use.
type Config struct {
	// Python is the interpreter, a path or a name to find in PATH; version 3.8 or newer.
	// Empty means python3.
	Python string
	// Grace is how long a process may take to end after it said that it is done, or to say READY
	// in Check. 0 means DefaultGrace.
	Grace time.Duration
	// LogLimit bounds what goes from one process to Attempt.Log, in bytes; the rest is
	// dropped, and a line says so. 0 means DefaultLogLimit.
	LogLimit int64

	// Launcher are the arguments with which this binary calls Launch; needed where programs run as other
	// users.
	Launcher []string

	// Prepared is what the Prepare function of the program's kind has returned; nil: Open does the same work itself.
	Prepared any
}

// What the zeros in a Config mean.
const (
	DefaultPython   = "python3"
	DefaultGrace    = 10 * time.Second
	DefaultLogLimit = 8 << 20
	DefaultBuffer   = 16 << 20
)

// Process returns how to start an attempt's process.
func (c Config) Process(a Attempt) process.Options {
	return process.Options{
		Folder: a.Scratch, User: a.User, Launcher: c.Launcher, Memory: a.Memory,
		Log: a.Log, LogLimit: c.LogLimit, Grace: c.Grace,
	}
}

// WithDefaults returns c with its zeros replaced by what they mean.
func (c Config) WithDefaults() Config {
	if c.Python == "" {
		c.Python = DefaultPython
	}
	if c.Grace <= 0 {
		c.Grace = DefaultGrace
	}
	if c.LogLimit <= 0 {
		c.LogLimit = DefaultLogLimit
	}
	return c
}

// Attempt is what a mapper or a reducer is made for.
type Attempt struct {
	Job string
	// Phase is "map" or "reduce".
	Phase string
	// Task and Number count from 0.
	Task, Number int
	// Scratch is a folder that exists, belongs to the attempt alone, and is removed by its
	// owner; builtins don't need one.
	Scratch string
	// User is who the program runs as; nil: our own user. The scratch folder has to be the user's.
	User *process.User
	// Log takes the process's standard error, whole lines at a time; nil drops it. After its
	// first error nothing more is written.
	Log io.Writer
	// Lines says that each record of the input is a line.
	Lines bool
	// Format is the input format's name: text, jsonl, csv, csv-multiline, whole, fixed:N.
	Format string
	// Reducers is how many reduce tasks the job has.
	Reducers int
	// MapOnly says that what the mapper emits is the job's output, thus text.
	MapOnly bool
	// SortValues says that the values of each key are sorted by their bytes on their way to the
	// reducer.
	SortValues bool
	// Moved, if not nil, is called whenever the process shows that it gets on: by a frame, or a
	// line on standard error.
	Moved func()
	// Took, if not nil, is told by mappers that are Telling how many of the bytes that they were handed are mapped. It is
	// called within Map and Close.
	Took func(bytes int64)
	// Memory limits the process's data segment, in bytes (RLIMIT_DATA); 0 sets no limit.
	// Builtins ignore it.
	Memory int64
	// Inputs are what a map task reads, in order.
	Inputs []Input
	// Buffer is how many bytes a mapper's output may take in this process: to be added up, of Python; of a
	// streaming program to be sorted for its combiner, and half of it is its longest line. 0 means DefaultBuffer.
	Buffer int64
}

// Input is a part of an object that a map task reads: Length bytes from Start on.
type Input struct {
	URL           string
	Start, Length int64
}

// Program is user code, ready to be run. It is safe for concurrent use.
type Program interface {
	Traits() Traits
	// NewMapper and NewReducer start what the attempt needs. When ctx ends, so does the
	// process, and the methods of what was returned fail with its cause.
	NewMapper(ctx context.Context, a Attempt) (Mapper, error)
	NewReducer(ctx context.Context, a Attempt) (Reducer, error)
}

// Traits are what the executor may know about a program's data.
type Traits struct {
	// Combine is how intermediate records may be combined anywhere on their way; the zero
	// value means not at all.
	Combine shuffle.Combine
	// KeyOnly says that a line of output is the key alone, without tab and value.
	KeyOnly bool
	// Identity says that the reducer copies its records, so that it may be passed by.
	Identity bool
}

// Mapper maps the batches of one attempt. Output goes to out, which is also what holds the
// receiver's error.
type Mapper interface {
	// Map maps a batch, which it does not keep.
	Map(b *record.Batch, out *record.Emitter) error
	// Close tells the program that its input ended, emits what it held back, and ends it. It
	// does not flush out.
	Close(out *record.Emitter) error
	// Kill ends the program at once, with all of its process group. It may be called from
	// any goroutine, at any time, more than once.
	Kill()
}

// Reducer reduces the records of one attempt.
type Reducer interface {
	// Reduce reads blocks of records, sorted by key, from next until it returns io.EOF, and
	// ends the program. A block must be valid until next is called again. Next is
	// called from one other goroutine, and no more once Reduce has returned.
	Reduce(next func() ([]byte, error), out *record.Emitter) error
	// Kill is as in Mapper.
	Kill()
}

// Collecting is what a Mapper may implement besides, if its records are counts (Columns with
// one Sum): MapTo is Map straight into the collector, without encoding every record on the way.
type Collecting interface {
	MapTo(b *record.Batch, c *shuffle.Collector) error
}

// Counting is what a Mapper or a Reducer may implement besides.
type Counting interface {
	// Counters returns the program's own counters, once Close or Reduce has returned. The map
	// belongs to the caller.
	Counters() map[string]int64
}

// Combining is what a Mapper may implement besides, if its program may have a combiner of its own.
type Combining interface {
	// MapOutput returns how many records were emitted before that, once Close has returned; ok is
	// false if there was none.
	MapOutput() (records int64, ok bool)
}

// Telling is what a Mapper may implement besides, if it tells what is mapped by Attempt.Took; that Map has returned
// says little then.
type Telling interface {
	// Handed returns how many bytes it was handed so far.
	Handed() int64
}

// MaxCounters is how many different counters one attempt may have: all of a job's are in Redis.
const MaxCounters = 1000

// MaxCounterName is the longest name of a counter, with that of its group, in bytes.
const MaxCounterName = 256

// ErrKilled is what the methods of a mapper or reducer fail with after Kill.
var ErrKilled = errors.New("program was killed")
