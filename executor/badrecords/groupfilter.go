package badrecords

import (
	"bytes"
	"io"
	"slices"

	"github.com/bucketmill/bucketmill/internal/record"
)

// GroupFilter reads the wanted groups of sorted blocks.
type GroupFilter struct {
	Source      func() ([]byte, error) // returns the next block, or io.EOF
	From, Until int64                  // the wanted ordinals: from From to before Until
	Omit        []int64                // sorted: ordinals in this range that are skipped
	End         int64                  // behind the last group that was returned

	rest   []byte // of the block
	begun  bool   // a first record was read
	key    []byte // of the current group
	group  int64  // ordinal of the current group
	wanted bool   // the current group is wanted
}

// Next returns a block that contains wanted groups only, or io.EOF. The block is valid until Next
// is called again.
func (f *GroupFilter) Next() ([]byte, error) {
	for {
		if f.past() {
			return nil, io.EOF
		}
		if len(f.rest) == 0 {
			block, err := f.Source()
			if err != nil {
				return nil, err
			}
			f.rest = block
		}
		piece, err := f.piece()
		if err != nil || len(piece) > 0 {
			return piece, err
		}
	}
}

// past reports whether all wanted groups were returned.
func (f *GroupFilter) past() bool {
	return f.From >= f.Until || (f.begun && f.group >= f.Until)
}

// piece takes records from the rest of the block up to the end of a stretch of wanted groups, and
// returns the wanted ones.
func (f *GroupFilter) piece() ([]byte, error) {
	block, at, begin := f.rest, 0, 0
	for at < len(block) {
		key, _, n, err := record.Read(block[at:])
		if err != nil {
			return nil, err
		}
		if was := f.wanted; f.enter(key) && was != f.wanted {
			if was && at > begin {
				break
			}
			begin = at
		}
		at += n
	}
	if f.rest = block[at:]; f.wanted || at < len(block) {
		return block[begin:at], nil
	}
	return nil, nil
}

// enter notes the group of the next record, and reports whether a new group begins with it.
func (f *GroupFilter) enter(key []byte) bool {
	if f.begun {
		if bytes.Equal(key, f.key) {
			return false
		}
		f.group++
	}
	f.begun = true
	f.key = append(f.key[:0], key...)
	_, omitted := slices.BinarySearch(f.Omit, f.group)
	f.wanted = f.group >= f.From && f.group < f.Until && !omitted
	if f.wanted {
		f.End = f.group + 1
	}
	return true
}
