package mapred

import (
	"context"
	"fmt"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/internal/tally"
)

func (g *guest) reduceTask(ctx context.Context) error {
	emit := &Emitter{records: g.records()}
	groups := record.NewGroups(func() ([]byte, error) { return g.ahead.next(frames.TypeRecords) })
	reduce, last := g.reduceGroup(groups), any(g.job.Reducer)
	if g.job.Columns != nil {
		reduce, last = g.totalGroup(groups), g.job.Totals
	}
	for groups.Next() {
		g.at = place{key: groups.Key(), hasKey: true}
		if err := reduce(ctx, emit); err != nil {
			return fmt.Errorf("reduce: %w", err)
		}
		if err := emit.err(); err != nil {
			return err
		}
	}
	// A stream that broke off ends the values of a key as its last one does. Only here does it
	// show.
	if err := groups.Err(); err != nil {
		return err
	}
	return g.finish(ctx, last, emit)
}

// reduceGroup returns what reduces the current group.
func (g *guest) reduceGroup(groups *record.Groups) func(context.Context, *Emitter) error {
	values := valuesOf(groups)
	return func(ctx context.Context, emit *Emitter) error {
		return g.job.Reducer.Reduce(ctx, groups.Key(), values, emit)
	}
}

// totalGroup is reduceGroup for a job with Columns.
func (g *guest) totalGroup(groups *record.Groups) func(context.Context, *Emitter) error {
	columns := g.job.Columns.encoding()
	totals, more := make([]record.Total, len(columns)), make([]record.Total, len(columns))
	ints := make([]int64, len(columns))
	var text []byte
	return func(ctx context.Context, emit *Emitter) error {
		value, ok := groups.Value() // a group has one at least
		if err := columns.DecodeTotals(totals, value); err != nil && ok {
			return tally.ValueError(columns, groups.Key(), err)
		}
		for value, ok = groups.Value(); ok; value, ok = groups.Value() {
			if err := columns.DecodeTotals(more, value); err != nil {
				return tally.ValueError(columns, groups.Key(), err)
			}
			columns.MergeTotals(totals, more)
		}
		if err := groups.Err(); err != nil {
			return err
		}
		if g.job.Totals == nil {
			text = appendTotals(text[:0], totals)
			emit.Emit(groups.Key(), text)
			return nil
		}
		for i, total := range totals {
			n, ok := total.Int64()
			if !ok {
				return fmt.Errorf("the total of column %d is beyond 64 bits: %v", i, total.Big())
			}
			ints[i] = n
		}
		return g.job.Totals.ReduceTotals(ctx, groups.Key(), ints, emit)
	}
}

func appendTotals(dst []byte, totals []record.Total) []byte {
	for i, total := range totals {
		if i > 0 {
			dst = append(dst, '\t')
		}
		dst = total.AppendText(dst)
	}
	return dst
}
