package mapred_test

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/bucketmill/bucketmill/mapred"
	"github.com/bucketmill/bucketmill/mapred/mapredtest"
)

// requests gets lines of a host and a response time in milliseconds.
func requests(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
	host, text, _ := bytes.Cut(line.Value, []byte(" "))
	ms, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return err
	}
	emit.EmitInts(host, 1, ms, ms, ms)
	return nil
}

var log = mapredtest.Lines("requests.log", "a.example 12", "b.example 3", "a.example 20")

// Several integers for each key: how many there were, their sum, the least and the greatest.
func ExampleColumns() {
	job := func() mapred.Job {
		return mapred.Job{
			Mapper:  mapred.MapFunc(requests),
			Columns: mapred.Columns{mapred.Sum, mapred.Sum, mapred.Min, mapred.Max},
		}
	}
	show(mapredtest.Try(job, log))
	// Output:
	// a.example	2	32	12	20
	// b.example	1	3	3	3
}

// Totals are what the columns of a key come to. Here they become a mean.
func ExampleTotalsFunc() {
	job := func() mapred.Job {
		return mapred.Job{
			Mapper:  mapred.MapFunc(requests),
			Columns: mapred.Columns{mapred.Sum, mapred.Sum, mapred.Min, mapred.Max},
			Totals: mapred.TotalsFunc(func(_ context.Context, host []byte, totals []int64, emit *mapred.Emitter) error {
				emit.EmitString(string(host), fmt.Sprintf("%.1f ms", float64(totals[1])/float64(totals[0])))
				return nil
			}),
		}
	}
	show(mapredtest.Try(job, log))
	// Output:
	// a.example	16.0 ms
	// b.example	3.0 ms
}
