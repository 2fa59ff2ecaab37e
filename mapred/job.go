package mapred

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
)

// A Job is a MapReduce program.
type Job struct {
	// Mapper turns input records into intermediate records. Every job has one.
	Mapper Mapper
	// Reducer turns the values of each key into output records. A job without reducers
	// (--reducers 0), whose mapper emits the output, needs none.
	Reducer Reducer
	// Combiner reduces the number of a key's values before they leave the map task; may be nil. It
	// is called any number of times, perhaps never, with values of the mapper or its own. It must
	// emit under the key that it got.
	Combiner Reducer

	// Columns, if not nil, says that a value is a row of integers, and how the rows of a key become
	// one. The mapper emits them with [Emitter.EmitInts]. A job with Columns has no Reducer and no
	// Combiner: rows are combined wherever they meet, without a call. This is the fast way to
	// count.
	Columns Columns
	// Totals gets each key with the totals of its columns; nil emits them in decimal digits, with
	// tabs between. Only for a job with Columns.
	Totals TotalsReducer
}

// A Record is a record of the input.
type Record struct {
	// Input is the URL of the object that the record is from.
	Input string
	// Offset is the place of the record's first byte in the object, after decompression.
	Offset int64
	// Header is the first line of the object, without its end, if the format is csv or
	// csv-multiline. It names the columns. nil for all other formats.
	Header []byte
	// Value is the record: a line without its end, a row of CSV with its quotes, or what else the
	// job's format says.
	Value []byte
}

// A Mapper turns input records into intermediate records, or, in a job without reducers, into
// output records.
type Mapper interface {
	// Map is called with every record. The record's Header and Value are valid until Map returns:
	// copy what you keep. An error fails the attempt and is reported with the record.
	Map(ctx context.Context, record Record, emit *Emitter) error
}

// A Reducer turns the values of a key into output records; a combiner turns them into fewer
// intermediate records.
type Reducer interface {
	// Reduce is called once for every key, in the order of the keys' bytes. The values are a
	// stream, since there may be more than fit in memory: they can be read once, and each is valid
	// until the next. The key is valid until Reduce returns. Values that are not read are skipped.
	//
	// Values come in any order; with --sort-values they are sorted by their bytes.
	Reduce(ctx context.Context, key []byte, values iter.Seq[[]byte], emit *Emitter) error
}

// A TotalsReducer turns the totals of a key into output records, in a job with Columns.
type TotalsReducer interface {
	// ReduceTotals is called once for every key, in the order of the keys' bytes. Key and totals
	// are valid until it returns. A total beyond 64 bits fails the attempt before the call.
	ReduceTotals(ctx context.Context, key []byte, totals []int64, emit *Emitter) error
}

// WithSetup is an optional interface of a job's Mapper, Combiner, Reducer and Totals.
type WithSetup interface {
	// Setup is called once in a task, before the first record. It is the place to read parameters.
	// An error fails the job at once, without further attempts. "bucketmill run" also calls it in a
	// [Check], before the job starts.
	Setup(ctx context.Context) error
}

// WithClose is an optional interface of a job's Mapper, Reducer and Totals. A combiner is not
// closed.
type WithClose interface {
	// Close is called once in a task, after the last record, unless the task has failed. It may
	// emit records that were held back.
	Close(ctx context.Context, emit *Emitter) error
}

// MapFunc is a function as a Mapper.
type MapFunc func(ctx context.Context, record Record, emit *Emitter) error

// Map calls f.
func (f MapFunc) Map(ctx context.Context, record Record, emit *Emitter) error {
	return f(ctx, record, emit)
}

// ReduceFunc is a function as a Reducer.
type ReduceFunc func(ctx context.Context, key []byte, values iter.Seq[[]byte], emit *Emitter) error

// Reduce calls f.
func (f ReduceFunc) Reduce(ctx context.Context, key []byte, values iter.Seq[[]byte], emit *Emitter) error {
	return f(ctx, key, values, emit)
}

// TotalsFunc is a function as a TotalsReducer.
type TotalsFunc func(ctx context.Context, key []byte, totals []int64, emit *Emitter) error

// ReduceTotals calls f.
func (f TotalsFunc) ReduceTotals(ctx context.Context, key []byte, totals []int64, emit *Emitter) error {
	return f(ctx, key, totals, emit)
}

// check returns what is wrong with the job.
func (j *Job) check() error {
	switch {
	case j.Mapper == nil:
		return errors.New("the job has no mapper")
	case j.Columns == nil && j.Totals != nil:
		return errors.New("the job has Totals, but no Columns")
	case j.Columns != nil && (j.Reducer != nil || j.Combiner != nil):
		return errors.New("the job has Columns; use Totals instead of a reducer, and no combiner")
	}
	if err := j.Columns.check(); err != nil {
		return err
	}
	for _, value := range j.values(true, true) {
		// Methods of a wrong type would silently not be called.
		_, setup := value.(interface{ Setup() error })
		_, closer := value.(io.Closer)
		switch {
		case setup:
			return fmt.Errorf("%T has Setup() error; want Setup(context.Context) error", value)
		case closer:
			return fmt.Errorf("%T has Close() error; want Close(context.Context, *mapred.Emitter) error", value)
		}
	}
	return nil
}

// reduces reports whether the job can run reduce tasks.
func (j *Job) reduces() bool { return j.Reducer != nil || j.Columns != nil }

// values returns the job's values that take part in map tasks, reduce tasks, or both, each once.
func (j *Job) values(mapping, reducing bool) []any {
	var values []any
	add := func(value any, takesPart bool) {
		if value == nil || !takesPart {
			return
		}
		if reflect.TypeOf(value).Comparable() {
			for _, other := range values {
				if reflect.TypeOf(other).Comparable() && other == value {
					return
				}
			}
		}
		values = append(values, value)
	}
	add(j.Mapper, mapping)
	add(j.Combiner, mapping)
	add(j.Reducer, reducing)
	add(j.Totals, reducing)
	return values
}
