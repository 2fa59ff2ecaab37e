package executor

import (
	"bytes"
	"context"
	"errors"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

func (w *reduceTask) try(ctx context.Context, from, until int64) (end int64, err error) {
	end = from
	err = w.probe(func(attempt program.Attempt, drop *record.Emitter) error {
		return w.pick(ctx, attempt.Scratch, from, until, func(p *groupPick) error {
			reducer, err := w.job.program.NewReducer(ctx, attempt)
			if err != nil {
				return err
			}
			defer reducer.Kill()
			err = reducer.Reduce(p.next, drop)
			end = max(from, p.end)
			return err
		})
	})
	return end, err
}

// pick opens the merge for those groups.
func (w *reduceTask) pick(ctx context.Context, scratch string, from, until int64, use func(*groupPick) error) (err error) {
	in, err := w.open(ctx, scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.merge.Close()) }()
	err = use(&groupPick{source: in.next, from: from, until: until})
	if in.err != nil {
		err = in.err // where the merge failed, that is why its user did
	}
	return segmentOf(err, w.sources, w.attempts)
}

// named finds nothing: errors show a key as the program sees it, not as it sorts.
func (w *reduceTask) named(context.Context, int64, int64, *program.UserError) (int64, error) {
	return -1, nil
}

func (w *reduceTask) describe(ctx context.Context, unit int64) (skippedRecord, error) {
	r := skippedRecord{Record: unit}
	err := w.pick(ctx, w.scratch, unit, unit+1, func(p *groupPick) error {
		groups := record.NewGroups(p.next)
		for groups.Next() {
			r.Key = w.showKey(groups.Key())
			for value, ok := groups.Value(); ok; value, ok = groups.Value() {
				if r.Values++; r.Values <= shownValues {
					r.First = append(r.First, *w.showValue(value))
				}
			}
		}
		return groups.Err()
	})
	return r, err
}

func (w *reduceTask) showKey(key []byte) *shown {
	if program.Kind(w.job.spec.Kind) == program.Python && len(key) > 0 && key[0] == program.PythonText {
		key = key[1:]
	}
	return show(key, shownBytes)
}

// showValue shows Python's values as bytes, which they are, even if they look like text.
func (w *reduceTask) showValue(value []byte) *shown {
	if program.Kind(w.job.spec.Kind) == program.Python {
		return &shown{Base64: bytes.Clone(value[:min(len(value), shownValueBytes)]), Bytes: len(value)}
	}
	return show(value, shownValueBytes)
}
