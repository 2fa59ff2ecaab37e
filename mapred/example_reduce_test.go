package mapred_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/bucketmill/bucketmill/mapred"
	"github.com/bucketmill/bucketmill/mapred/mapredtest"
)

// The longest line of each host. A reducer that emits a value of the kind that it gets is its own
// combiner.
func ExampleReduceFunc() {
	longest := mapred.ReduceFunc(func(_ context.Context, host []byte, lines iter.Seq[[]byte], emit *mapred.Emitter) error {
		var best []byte
		for line := range lines {
			if len(line) > len(best) || len(line) == len(best) && bytes.Compare(line, best) < 0 {
				best = append(best[:0], line...) // a value is valid until the next
			}
		}
		emit.Emit(host, best)
		return nil
	})
	job := func() mapred.Job {
		return mapred.Job{
			Mapper: mapred.MapFunc(func(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
				host, rest, _ := bytes.Cut(line.Value, []byte(" "))
				emit.Emit(host, rest)
				return nil
			}),
			Combiner: longest,
			Reducer:  longest,
		}
	}
	show(mapredtest.Try(job, mapredtest.Lines("access.log", "a /", "b /x", "a /index.html", "b /y")))
	// Output:
	// a	/index.html
	// b	/x
}

// Each line once, in order: the keys are what counts, and values are not read.
func ExampleReduceFunc_distinct() {
	first := mapred.ReduceFunc(func(_ context.Context, line []byte, _ iter.Seq[[]byte], emit *mapred.Emitter) error {
		emit.Emit(line, nil)
		return nil
	})
	job := func() mapred.Job {
		return mapred.Job{
			Mapper: mapred.MapFunc(func(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
				emit.Emit(line.Value, nil)
				return nil
			}),
			Combiner: first,
			Reducer:  first,
		}
	}
	got, err := mapredtest.Try(job, mapredtest.Lines("a", "x", "y", "x"), mapredtest.Lines("b", "y", "z"))
	fmt.Printf("%q %v\n", got.Output, err)
	// Output:
	// ["x\t" "y\t" "z\t"] <nil>
}

// A join of two inputs, told apart by Record.Input. The mapper marks what each line is; with
// --sort-values the mark also says which value comes first.
func ExampleReduceFunc_join() {
	job := func() mapred.Job {
		return mapred.Job{
			Mapper: mapred.MapFunc(func(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
				user, rest, _ := strings.Cut(string(line.Value), ",")
				mark := "2"
				if strings.HasSuffix(line.Input, "plans.csv") {
					mark = "1"
				}
				emit.EmitString(user, mark+rest)
				return nil
			}),
			Reducer: mapred.ReduceFunc(func(_ context.Context, user []byte, values iter.Seq[[]byte], emit *mapred.Emitter) error {
				plan := "no plan"
				for value := range values {
					if value[0] == '1' {
						plan = string(value[1:])
						continue
					}
					emit.EmitString(string(user), plan+"\t"+string(value[1:]))
				}
				return nil
			}),
		}
	}
	show(mapredtest.Try(job,
		mapredtest.CSV("s3://inbox/plans.csv", "user,plan", "ann,free", "bob,paid"),
		mapredtest.CSV("s3://inbox/orders.csv", "user,item", "bob,pen", "eve,ink", "bob,cup"),
		mapredtest.SortValues()))
	// Output:
	// bob	paid	cup
	// bob	paid	pen
	// eve	no plan	ink
}
