// Command wordcount-go counts words. It is a Bucketmill program in Go:
//
//	go build -o bin/ ./examples/wordcount-go
//	bucketmill run bin/wordcount-go --input 'texts/*.txt' --output counts/
package main

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/bucketmill/bucketmill/mapred"
)

func main() {
	mapred.Main(mapred.Job{
		Mapper:   mapred.MapFunc(mapLine),
		Combiner: mapred.ReduceFunc(add),
		Reducer:  mapred.ReduceFunc(add),
	})
}

var one = []byte("1")

func mapLine(_, line []byte, emit *mapred.Emitter) error {
	for word := range bytes.FieldsSeq(line) {
		emit.Emit(word, one)
	}
	return nil
}

// add emits the sum of a word's counts.
func add(word []byte, counts *mapred.Values, emit *mapred.Emitter) error {
	var total int64
	for count := range counts.All() {
		n, err := strconv.ParseInt(string(count), 10, 64)
		if err != nil {
			return fmt.Errorf("count of %q: %w", word, err)
		}
		total += n
	}
	emit.Emit(word, strconv.AppendInt(nil, total, 10))
	return nil
}
