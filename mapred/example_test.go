package mapred_test

import (
	"context"
	"fmt"

	"github.com/bucketmill/bucketmill/mapred"
	"github.com/bucketmill/bucketmill/mapred/mapredtest"
)

// Word count. The main function of a program is
//
//	func main() { mapred.Main(job()) }
//
// and a test runs the same job without an executor.
func Example() {
	job := func() mapred.Job {
		return mapred.Job{
			Mapper: mapred.MapFunc(func(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
				for word := range mapred.Words(line.Value) {
					emit.EmitInts(word, 1)
				}
				return nil
			}),
			Columns: mapred.Columns{mapred.Sum},
		}
	}
	show(mapredtest.Try(job, mapredtest.Lines("a.txt", "to be or not", "to be")))
	// Output:
	// be	2
	// not	1
	// or	1
	// to	2
}

// show prints what a job made.
func show(got *mapredtest.Result, err error) {
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	for _, line := range got.Output {
		fmt.Println(line)
	}
	for name, n := range got.Counters {
		fmt.Println(name+":", n)
	}
	for _, line := range got.Log {
		fmt.Println(line)
	}
}
