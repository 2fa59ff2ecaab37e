package executor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
)

// reduceWork is the work of a reduce attempt; its units are groups.
type reduceWork struct {
	probing
	sources  []shuffle.Source
	attempts []job.AttemptID // whose sources they are
}

func (w *reduceWork) try(ctx context.Context, from, until int64) (end int64, err error) {
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
func (w *reduceWork) pick(ctx context.Context, scratch string, from, until int64, use func(*groupPick) error) (err error) {
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
func (w *reduceWork) named(context.Context, int64, int64, *program.UserError) (int64, error) {
	return -1, nil
}

func (w *reduceWork) describe(ctx context.Context, unit int64) (skippedRecord, error) {
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

func (w *reduceWork) showKey(key []byte) *shown {
	if program.Kind(w.job.spec.Kind) == program.Python && len(key) > 0 && key[0] == program.PythonText {
		key = key[1:]
	}
	return show(key, shownBytes)
}

// showValue shows Python's values as bytes, which they are, even if they look like text.
func (w *reduceWork) showValue(value []byte) *shown {
	if program.Kind(w.job.spec.Kind) == program.Python {
		return &shown{Base64: bytes.Clone(value[:min(len(value), shownValueBytes)]), Bytes: len(value)}
	}
	return show(value, shownValueBytes)
}

// groupPick reads those groups of sorted blocks that are wanted.
type groupPick struct {
	source      func() ([]byte, error)
	from, until int64   // ordinals of what is wanted
	omit        []int64 // sorted: what of it is not wanted all the same

	rest   []byte // of the block
	begun  bool
	key    []byte // of the group at which it is
	group  int64  // its ordinal
	wanted bool
	end    int64 // behind the last one that was returned
}

// next returns a block that holds wanted groups only; it is valid until next is called again.
func (p *groupPick) next() ([]byte, error) {
	for {
		if p.past() {
			return nil, io.EOF
		}
		if len(p.rest) == 0 {
			block, err := p.source()
			if err != nil {
				return nil, err
			}
			p.rest = block
		}
		piece, err := p.piece()
		if err != nil || len(piece) > 0 {
			return piece, err
		}
	}
}

// past tells whether all that is wanted was returned.
func (p *groupPick) past() bool {
	return p.from >= p.until || (p.begun && p.group >= p.until)
}

// piece takes records from the rest of the block up to where what is wanted ends, and returns
// those of them that are.
func (p *groupPick) piece() ([]byte, error) {
	block, at, begin := p.rest, 0, 0
	for at < len(block) {
		key, _, n, err := record.Read(block[at:])
		if err != nil {
			return nil, err
		}
		if was := p.wanted; p.enter(key) && was != p.wanted {
			if was && at > begin {
				break
			}
			begin = at
		}
		at += n
	}
	if p.rest = block[at:]; p.wanted || at < len(block) {
		return block[begin:at], nil
	}
	return nil, nil
}

// enter notes the group of a record that is read next, and tells whether it is another one.
func (p *groupPick) enter(key []byte) bool {
	if p.begun {
		if bytes.Equal(key, p.key) {
			return false
		}
		p.group++
	}
	p.begun = true
	p.key = append(p.key[:0], key...)
	_, omitted := slices.BinarySearch(p.omit, p.group)
	p.wanted = p.group >= p.from && p.group < p.until && !omitted
	if p.wanted {
		p.end = p.group + 1
	}
	return true
}
