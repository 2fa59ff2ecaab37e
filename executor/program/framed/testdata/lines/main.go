// Command lines does what each line of its input says.
package main

import (
	"context"
	"fmt"

	"github.com/bucketmill/bucketmill/mapred"
)

func main() {
	mapred.Main(mapred.Job{Mapper: mapred.MapFunc(obey), Columns: mapred.Columns{mapred.Sum, mapred.Min, mapred.Max}})
}

func obey(ctx context.Context, line mapred.Record, emit *mapred.Emitter) error {
	switch text := string(line.Value); text {
	case "panic":
		panic(fmt.Sprintf("at byte %d", line.Offset))
	case "print":
		fmt.Println("printed")
	case "status":
		mapred.Status(ctx, "well")
	case "count":
		mapred.Count(ctx, "counted", 2)
	default:
		emit.EmitInts(line.Value, 1, line.Offset, line.Offset)
	}
	return nil
}
