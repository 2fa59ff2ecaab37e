package mapred

import (
	"context"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

func (g *guest) mapTask(ctx context.Context) error {
	out := &Emitter{records: g.records()} // of what leaves the process
	emit := out                           // for the mapper
	switch {
	case g.job.Columns != nil && g.hello.MapOnly:
		out.width = len(g.job.Columns)
	case g.job.Columns != nil:
		emit = &Emitter{
			records: out.records, width: len(g.job.Columns),
			columns: newColumnsBuffer(g.job.Columns.encoding(), g.hello.Memory, out.records),
		}
	case g.job.Combiner != nil && !g.hello.MapOnly:
		buffer := &combineBuffer{ctx: ctx, guest: g, out: out}
		emit = &Emitter{records: buffer.emitter()}
	}
	for {
		payload, err := g.ahead.next(frames.TypeBatch)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		b, err := frames.DecodeBatch(payload)
		if err != nil {
			return err
		}
		if err := g.mapBatch(ctx, &b, emit); err != nil {
			return err
		}
	}
	if err := g.finish(ctx, g.job.Mapper, emit); err != nil {
		return err
	}
	if emit != out {
		g.done.MapOutput = emit.count()
	}
	return out.flush()
}

func (g *guest) mapBatch(ctx context.Context, b *record.Batch, emit *Emitter) error {
	mapRecord := g.job.Mapper.Map
	if f, ok := g.job.Mapper.(MapFunc); ok {
		mapRecord = f // a call less for every record
	}
	g.at.hasRecord = true
	rec := &g.at.record
	rec.Input, rec.Header = b.Input, b.Header
	for offset, value := range b.Records() {
		rec.Offset, rec.Value = offset, value
		if err := mapRecord(ctx, *rec, emit); err != nil {
			return fmt.Errorf("map: %w", err)
		}
		if emit.misused != nil {
			return fmt.Errorf("map: %w", emit.misused)
		}
	}
	if err := emit.err(); err != nil {
		return err
	}
	g.at = place{}
	return nil
}
