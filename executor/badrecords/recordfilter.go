package badrecords

import (
	"errors"

	"github.com/bucketmill/bucketmill/internal/record"
)

// ErrEnough ends reading before the end of the input, successfully.
var ErrEnough = errors.New("all wanted records were read")

// RecordFilter passes on the wanted records of the batches that it gets.
type RecordFilter struct {
	Pass        func(*record.Batch) error // gets batches of wanted records only
	From, Until int64                     // the wanted ordinals: from From to before Until
	Omit        []int64                   // sorted: ordinals in this range that are skipped
	Next        int64                     // the ordinal of the first record of the next batch
	End         int64                     // behind the last record that was passed on
}

// Filter passes on the wanted records of a batch. It returns ErrEnough once no record that follows
// is wanted.
func (f *RecordFilter) Filter(b *record.Batch) error {
	first := f.Next
	f.Next += int64(b.Len())
	from, until := max(f.From, first), min(f.Until, f.Next)
	for from < until {
		for len(f.Omit) > 0 && f.Omit[0] < from {
			f.Omit = f.Omit[1:]
		}
		stop := until
		if len(f.Omit) > 0 {
			stop = min(stop, f.Omit[0])
		}
		if stop > from {
			f.End = stop
			if err := f.Pass(b.Slice(from-first, stop-first)); err != nil {
				return err
			}
		}
		from = stop + 1
	}
	if f.Next >= f.Until {
		return ErrEnough
	}
	return nil
}
