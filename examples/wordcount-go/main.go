// Command wordcount-go counts words. It is a Bucketmill program in Go:
//
//	go build -o bin/ ./examples/wordcount-go
//	bucketmill run bin/wordcount-go --input 'texts/*.txt' --output counts/
package main

import (
	"context"

	"github.com/bucketmill/bucketmill/mapred"
)

func main() { mapred.Main(job()) }

func job() mapred.Job {
	return mapred.Job{
		Mapper:  mapred.MapFunc(countWords),
		Columns: mapred.Columns{mapred.Sum},
	}
}

func countWords(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
	for word := range mapred.Words(line.Value) {
		emit.EmitInts(word, 1)
	}
	return nil
}
