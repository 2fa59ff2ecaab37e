package mapredtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/bucketmill/bucketmill/mapred"
	"github.com/bucketmill/bucketmill/mapred/mapredtest"
)

// A test gives the job its input, parameters and tasks. In a function of package testing, use Run.
func ExampleTry() {
	got, err := mapredtest.Try(wordsOfLength,
		mapredtest.Lines("s3://texts/a.txt", "to be or not", "to be"),
		mapredtest.Lines("s3://texts/b.txt", "that is the question"),
		mapredtest.Param("least", "3"),
		mapredtest.MapTasks(2))
	fmt.Printf("%q %v %v\n", got.Output, got.Counters, err)
	// Output:
	// ["not\t1" "question\t1" "that\t1" "the\t1"] map[short words:6] <nil>
}

func wordsOfLength() mapred.Job {
	return mapred.Job{
		Mapper: mapred.MapFunc(func(ctx context.Context, line mapred.Record, emit *mapred.Emitter) error {
			least, err := mapred.Param(ctx, "least", 1)
			for word := range bytes.FieldsSeq(line.Value) {
				if len(word) < least {
					mapred.Count(ctx, "short words", 1)
					continue
				}
				emit.EmitInts(word, 1)
			}
			return err
		}),
		Columns: mapred.Columns{mapred.Sum},
	}
}

// A combiner may be called with any of a key's values, or not at all. One on which the output
// depends is found.
func ExampleUnstableError() {
	job := func() mapred.Job {
		count := mapred.ReduceFunc(func(_ context.Context, word []byte, values iter.Seq[[]byte], emit *mapred.Emitter) error {
			n := int64(0)
			for range values { // wrong: a value may be what the combiner has counted
				n++
			}
			emit.EmitInts(word, n)
			return nil
		})
		return mapred.Job{
			Mapper: mapred.MapFunc(func(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
				emit.Emit(line.Value, nil)
				return nil
			}),
			Combiner: count,
			Reducer:  count,
		}
	}
	_, err := mapredtest.Try(job, mapredtest.Lines("f", "to", "be", "to"))
	var unstable *mapredtest.UnstableError
	fmt.Println(errors.As(err, &unstable), err)
	// Output:
	// true the output depends on more than the input: "to\t1" became "to\t2" with no combiner
}
