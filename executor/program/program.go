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
	// MapOnly says that the job has no reducers; Check then doesn't look for one.
	MapOnly bool
	// Params are the job's parameters. A builtin refuses those that it does not know.
	Params map[string]string
	// Commands are those of a streaming program.
	Commands Commands
	// Files are the local paths of the program files, by their names in the working folder. A
	// Python program imports those beside its own file; Check puts all of them there.
	Files map[string]string
}

// Config is how an executor runs programs. The zero Config is ready to use.
type Config struct {
	// Python is the interpreter of Python files, a path or a name to find in PATH; version 3.8 or
	// newer. Empty means python3.
	Python string
	// Grace is how long a process may take to end after it has said DONE, or to say READY in Check.
	// 0 means DefaultGrace.
	Grace time.Duration
	// LogLimit bounds what one process may write to Attempt.Log, in bytes; the rest is dropped, and
	// a line says so. 0 means DefaultLogLimit.
	LogLimit int64

	// Launcher are the arguments with which this binary calls process.Launch. They are needed only
	// if programs run as other users.
	Launcher []string

	// Prepared is what the Prepare function of the program's kind has returned; nil: Open calls
	// Prepare itself.
	Prepared any
}

// Defaults of a Config and an Attempt.
const (
	DefaultPython   = "python3"
	DefaultGrace    = 10 * time.Second
	DefaultLogLimit = 8 << 20
	DefaultBuffer   = 16 << 20
)

// Process returns the options that start an attempt's process.
func (c Config) Process(a Attempt) process.Options {
	return process.Options{
		Folder: a.Scratch, User: a.User, Launcher: c.Launcher, Memory: a.Memory,
		Log: a.Log, LogLimit: c.LogLimit, Grace: c.Grace,
	}
}

// WithDefaults returns c with defaults in place of zeros.
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
	// Side is "map" or "reduce".
	Side string
	// Task and Number count from 0.
	Task, Number int
	// Scratch is an existing folder that only this attempt uses, and that the caller removes.
	// Builtins don't need one.
	Scratch string
	// User is the user that the program runs as; nil: our own user. The scratch folder must be the
	// user's.
	User *process.User
	// Log receives the process's standard error, whole lines at a time; nil drops it. After its
	// first error nothing more is written.
	Log io.Writer
	// Lines says that each record of the input is a line.
	Lines bool
	// Format is the input format's name: text, jsonl, csv, csv-multiline, whole, fixed:N.
	Format string
	// Reducers is how many reduce tasks the job has.
	Reducers int
	// MapOnly says that the mapper's records are the job's output, so they must be text.
	MapOnly bool
	// SortValues says that the reducer gets the values of each key sorted by their bytes.
	SortValues bool
	// Progressed, if not nil, is called whenever the process shows progress: by a frame, by output,
	// or by a line on standard error.
	Progressed func()
	// Took, if not nil, is called by mappers that are Reporting, with the number of handed bytes
	// that are now mapped. It is called within Map and Close.
	Took func(bytes int64)
	// Memory limits the process's data segment, in bytes (RLIMIT_DATA); 0 sets no limit.
	// Builtins ignore it.
	Memory int64
	// Inputs are what a map task reads, in order.
	Inputs []Input
	// Buffer bounds how many bytes of a mapper's output are held in this process: Python's ints to
	// add up, or the pairs that a streaming program's combiner gets. Half of it is also the longest
	// line of a streaming program. 0 means DefaultBuffer.
	Buffer int64
}

// Input is a part of an object that a map task reads: Length bytes that begin at Start.
type Input struct {
	URL           string
	Start, Length int64
}

// Program is user code that is ready to run. It is safe for concurrent use.
type Program interface {
	Traits() Traits
	// NewMapper and NewReducer start what the attempt needs. When ctx ends, the process ends too,
	// and the methods of the mapper or reducer fail with the cause of ctx.
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
	// Identity says that the reducer copies its records, so that the executor may leave it out.
	Identity bool
}

// Mapper maps the batches of one attempt. It emits to out. If the receiver of out fails, out.Err
// returns the error.
type Mapper interface {
	// Map maps a batch, which it does not keep.
	Map(b *record.Batch, out *record.Emitter) error
	// Close ends the program's input, emits what is left, and ends the program. It does not flush
	// out.
	Close(out *record.Emitter) error
	// Kill ends the program at once, with its whole process group. Any goroutine may call it, at
	// any time, more than once.
	Kill()
}

// Reducer reduces the records of one attempt.
type Reducer interface {
	// Reduce reads blocks of records, sorted by key, from next until it returns io.EOF, and ends
	// the program. A block must be valid until next is called again. One other goroutine calls
	// next, and no longer does once Reduce has returned.
	Reduce(next func() ([]byte, error), out *record.Emitter) error
	// Kill does what Mapper's does.
	Kill()
}

// Collecting is what a Mapper may also implement, if its records are counts (Columns with one Sum).
// MapTo maps straight into the collector, without encoding every record.
type Collecting interface {
	MapTo(b *record.Batch, c *shuffle.Collector) error
}

// Counting is what a Mapper or a Reducer may also implement.
type Counting interface {
	// Counters returns the program's own counters, after Close or Reduce has returned. The map
	// belongs to the caller.
	Counters() map[string]int64
}

// Combining is what a Mapper may also implement, if its program may have a combiner.
type Combining interface {
	// MapOutput returns how many records the combiner got, after Close has returned; ok is false if
	// there was no combiner.
	MapOutput() (records int64, ok bool)
}

// Reporting is what a Mapper may also implement, if it may return from Map before the batch is
// mapped. It then calls Attempt.Took with the bytes that are mapped.
type Reporting interface {
	// Handed returns how many bytes Map has got so far.
	Handed() int64
}

// MaxCounters bounds the different counters of one attempt: all of a job's are in Redis.
const MaxCounters = 1000

// MaxCounterName bounds the name of a counter, with the name of its group, in bytes.
const MaxCounterName = 256

// ErrKilled is the error of a mapper or reducer after Kill.
var ErrKilled = errors.New("program was killed")
