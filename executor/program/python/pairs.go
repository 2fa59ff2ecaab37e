package python

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/internal/tally"
)

// errPair says that a program gave something other than pairs.
var errPair = errors.New("it must give pairs (key, value), but it gave something else")

// pairs decodes the payloads of PAIRS frames: it encodes the pairs as records, and adds up ints if
// the guest asks for that.
type pairs struct {
	pickle unpickler
	keys   keyEncoder
	counts []count
	sums   *tally.Sums // nil before the first
	limit  int64       // of sums, in bytes

	key, value []byte // scratch
}

// count is the most common pair, a str with an int: data[from:to] is the key, and the byte before
// it is part of the key's length.
type count struct {
	from, to int
	n        int64
}

// pairsSummed is the first byte of a PAIRS frame whose ints must be added up.
const pairsSummed = 1

// Take implements PairDecoder: it emits the pairs of a payload, which it changes, or keeps their
// sums for Drain.
func (p *pairs) Take(payload []byte, out *record.Emitter) error {
	if len(payload) == 0 || payload[0] > pairsSummed {
		return fmt.Errorf("%w: PAIRS with unknown flags", frames.ErrMalformed)
	}
	err := p.takeLists(payload, payload[0] == pairsSummed, out)
	if errors.Is(err, errPair) || errors.Is(err, errKey) {
		return &program.UserError{Message: fmt.Sprintf("map_fn: %v", err), Cause: err}
	}
	return err
}

// takeLists takes the pickled lists of a payload, whose first byte it skips.
func (p *pairs) takeLists(payload []byte, sum bool, out *record.Emitter) error {
	for at := 1; at < len(payload); {
		if len(payload)-at < 4 || payload[at] != opProto || payload[at+2] != opEmptyList {
			return fmt.Errorf("%w: it is not a list", errPickle)
		}
		at += 3
		for payload[at] != opStop {
			var err error
			if at, err = p.segment(payload, at, sum, out); err != nil {
				return err
			}
			if at == len(payload) {
				return fmt.Errorf("%w: it ends too early", errPickle)
			}
		}
		at++
	}
	return nil
}

// segment takes the items up to an APPENDS, or the only one up to an APPEND, and returns the offset
// after that.
func (p *pairs) segment(data []byte, at int, sum bool, out *record.Emitter) (int, error) {
	if data[at] == opMark {
		if end := p.scan(data, at+1); end > 0 {
			return end, p.takeCounts(data, sum, out)
		}
	}
	items, err := p.pickle.items(data, at)
	if err != nil {
		return 0, err
	}
	for i := range items {
		if err := p.takeItem(&items[i], sum, out); err != nil {
			return 0, err
		}
	}
	return p.pickle.off + 1, nil
}

// scan reads items up to an APPENDS, and returns the offset after it; 0 if not all items are
// counts.
func (p *pairs) scan(data []byte, at int) int {
	counts := p.counts[:0]
	for {
		if len(data)-at < 5 || data[at] != opStr {
			return 0
		}
		c := count{from: at + 5}
		c.to = c.from + int(binary.LittleEndian.Uint32(data[at+1:]))
		if len(data)-c.to < 5 { // the shortest int, TUPLE2, and APPENDS with a STOP
			return 0
		}
		switch data[c.to] {
		case opInt8:
			c.n, at = int64(data[c.to+1]), c.to+2
		case opInt16:
			c.n, at = int64(binary.LittleEndian.Uint16(data[c.to+1:])), c.to+3
		case opInt32:
			c.n, at = int64(int32(binary.LittleEndian.Uint32(data[c.to+1:]))), c.to+5 //nolint:gosec // its bits
		default:
			return 0
		}
		if len(data)-at < 2 || data[at] != opTuple2 {
			return 0
		}
		at++
		counts = append(counts, c)
		if data[at] == opAppends {
			p.counts = counts
			return at + 1
		}
	}
}

func (p *pairs) takeCounts(data []byte, sum bool, out *record.Emitter) error {
	for _, c := range p.counts {
		key := data[c.from-1 : c.to]
		key[0] = TextKey
		if sum {
			if err := p.add(key, c.n, out); err != nil {
				return err
			}
			continue
		}
		p.value = appendInt(p.value[:0], c.n)
		out.Emit(key, p.value)
	}
	return nil
}

// takeItem takes any item.
func (p *pairs) takeItem(item *pickled, sum bool, out *record.Emitter) error {
	key, value, err := p.pickle.pair(item)
	if err != nil {
		return err
	}
	if p.key, err = p.keys.encode(p.key[:0], key); err != nil {
		return err
	}
	if n, ok := readInt(value); ok && sum {
		return p.add(p.key, n, out)
	}
	out.Emit(p.key, value)
	return nil
}

// add adds n to the sum of key.
func (p *pairs) add(key []byte, n int64, out *record.Emitter) error {
	if p.sums == nil {
		p.sums = tally.NewSums(p.limit)
	}
	if p.sums.Add(key, n) {
		return nil
	}
	if err := p.Drain(out); err != nil {
		return err
	}
	if !p.sums.Add(key, n) {
		p.value = appendInt(p.value[:0], n)
		out.Emit(key, p.value)
	}
	return nil
}

// Drain emits the sums.
func (p *pairs) Drain(out *record.Emitter) error {
	if p.sums == nil {
		return nil
	}
	return p.sums.Drain(func(key []byte, sum int64) error {
		p.value = appendInt(p.value[:0], sum)
		out.Emit(key, p.value)
		return out.Err()
	})
}
