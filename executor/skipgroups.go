package executor

import (
	"bytes"
	"io"
	"slices"

	"github.com/bucketmill/bucketmill/internal/record"
)

// groupPick reads those groups of sorted blocks that are wanted.
type groupPick struct {
	source      func() ([]byte, error)
	from, until int64   // ordinals of what is wanted
	omit        []int64 // sorted: what of it is not wanted all the same

	remaining []byte // of the block
	begun     bool
	key       []byte // of the group at which it is
	group     int64  // its ordinal
	wanted    bool
	end       int64 // behind the last one that was returned
}

// next returns a block that holds wanted groups only; it is valid until next is called again.
func (p *groupPick) next() ([]byte, error) {
	for {
		if p.past() {
			return nil, io.EOF
		}
		if len(p.remaining) == 0 {
			block, err := p.source()
			if err != nil {
				return nil, err
			}
			p.remaining = block
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
	block, at, begin := p.remaining, 0, 0
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
	if p.remaining = block[at:]; p.wanted || at < len(block) {
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
