package executor

import (
	"bytes"
	"context"
	"errors"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Try reduces some of the task's groups by a fresh program, and throws away what it emits.
func (t *reduceTask) Try(ctx context.Context, from, until int64) (end int64, err error) {
	end = from
	err = t.probe(nil, func(attempt program.Attempt, drop *record.Emitter) error {
		return t.read(ctx, attempt.Scratch, from, until, func(wanted *badrecords.GroupFilter) error {
			reducer, err := t.job.program.NewReducer(ctx, attempt)
			if err != nil {
				return err
			}
			defer reducer.Kill()
			err = reducer.Reduce(wanted.Next, drop)
			end = max(from, wanted.End)
			return err
		})
	})
	return end, err
}

// read merges the task's runs again, and has use read some of the groups.
func (t *reduceTask) read(ctx context.Context, scratch string, from, until int64, use func(*badrecords.GroupFilter) error) (err error) {
	in, err := t.openMerge(ctx, scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.merge.Close()) }()
	err = use(&badrecords.GroupFilter{Source: in.nextBlock, From: from, Until: until})
	if in.err != nil {
		err = in.err // the merge failed, and use for this reason
	}
	return segmentOf(err, t.sources, t.attempts)
}

// Named finds nothing: errors show a key as the program sees it, not as it sorts.
func (t *reduceTask) Named(context.Context, int64, int64, *program.UserError) (int64, error) {
	return -1, nil
}

// Describe returns a group's key, and its first values.
func (t *reduceTask) Describe(ctx context.Context, unit int64) (badrecords.Record, error) {
	r := badrecords.Record{Record: unit}
	err := t.read(ctx, t.scratch, unit, unit+1, func(wanted *badrecords.GroupFilter) error {
		groups := record.NewGroups(wanted.Next)
		for groups.Next() {
			r.Key = t.showKey(groups.Key())
			for value, ok := groups.Value(); ok; value, ok = groups.Value() {
				if r.Values++; r.Values <= badrecords.ShownValues {
					r.First = append(r.First, *t.showValue(value))
				}
			}
		}
		return groups.Err()
	})
	return r, err
}

// showKey shows a key as the program sees it.
func (t *reduceTask) showKey(key []byte) *badrecords.Shown {
	if t.job.kind.ShowKey != nil {
		key = t.job.kind.ShowKey(key)
	}
	return badrecords.Show(key, badrecords.ShownBytes)
}

// showValue shows values that are bytes as bytes, even if they look like text.
func (t *reduceTask) showValue(value []byte) *badrecords.Shown {
	if t.job.kind.BinaryValues {
		return &badrecords.Shown{Base64: bytes.Clone(value[:min(len(value), badrecords.ShownValueBytes)]), Bytes: len(value)}
	}
	return badrecords.Show(value, badrecords.ShownValueBytes)
}
