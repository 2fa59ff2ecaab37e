package executor

import (
	"errors"

	"github.com/bucketmill/bucketmill/internal/record"
)

// errEnough ends reading before its end, successfully.
var errEnough = errors.New("all that is wanted was read")

// recordPick passes those of the records that it takes on that are wanted.
type recordPick struct {
	pass        func(*record.Batch) error
	from, until int64   // ordinals of what is wanted
	omit        []int64 // sorted: what of it is not wanted all the same
	next        int64   // ordinal of the record that is taken next
	end         int64   // behind the last one that was passed on
}

// take fails with errEnough once nothing more is wanted.
func (p *recordPick) take(b *record.Batch) error {
	first := p.next
	p.next += int64(b.Len())
	from, until := max(p.from, first), min(p.until, p.next)
	for from < until {
		for len(p.omit) > 0 && p.omit[0] < from {
			p.omit = p.omit[1:]
		}
		stop := until
		if len(p.omit) > 0 {
			stop = min(stop, p.omit[0])
		}
		if stop > from {
			p.end = stop
			if err := p.pass(cutBatch(b, from-first, stop-first)); err != nil {
				return err
			}
		}
		from = stop + 1
	}
	if p.next >= p.until {
		return errEnough
	}
	return nil
}

// cutBatch returns the batch of the records from one on and before another, which must be some.
func cutBatch(b *record.Batch, from, until int64) *record.Batch {
	part := *b
	begin, end := 0, len(b.Data)
	var n int64
	for at, offset := range recordStarts(b) {
		if n == from {
			begin, part.Offset = at, offset
		}
		if n == until {
			end = at
			break
		}
		n++
	}
	part.Data = b.Data[begin:end]
	return &part
}

// recordStarts yields where in a batch's data each record begins, and its offset in the object.
func recordStarts(b *record.Batch) func(yield func(at int, offset int64) bool) {
	return func(yield func(int, int64) bool) {
		at := 0
		for offset := range b.Records() {
			if b.Framing != record.Encoded {
				at = int(offset - b.Offset)
			}
			if !yield(at, offset) {
				return
			}
			if b.Framing == record.Encoded {
				_, _, n, _ := record.Read(b.Data[at:]) // it could be read before
				at += n
			}
		}
	}
}
