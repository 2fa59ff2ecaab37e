package shuffle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/mapred"
)

// Combine says how records of one key may become fewer. At most one of its fields is set; the zero
// value combines nothing.
type Combine struct {
	// Columns, when not nil, says that values are that many integers, and records of one key
	// become one. With no columns values are empty, and one record is kept of each key.
	Columns mapred.Columns
	// Dedup keeps one of the records that are equal in key and value.
	Dedup bool
	// Func is any combiner. It is given the sorted records of one partition, must read all of them,
	// and emits what should stand in their place: keys that it was given, in their order. It is
	// called, possibly several times for what it has emitted itself, whenever a run is written, and
	// not by the last merge that a reducer reads.
	Func func(in *mapred.Groups, out *mapred.Emitter) error
}

func (c *Combine) validate(sortValues bool) error {
	n := 0
	if c.Columns != nil {
		n++
	}
	if c.Dedup {
		n++
	}
	if c.Func != nil {
		n++
		if sortValues {
			return errors.New("a combiner function cannot keep values sorted")
		}
	}
	if n > 1 {
		return errors.New("only one way to combine may be given")
	}
	for _, op := range c.Columns {
		if op < mapred.Sum || op > mapred.Max {
			return fmt.Errorf("unknown column operation %d", op)
		}
	}
	return nil
}

// sorted reports whether records of one key are to be kept in the order of their values.
func (c *Combine) sorted(sortValues bool) bool { return sortValues || c.Dedup }

// stream returns in, combined as Columns and Dedup say. Blocks are cut at size bytes.
func (c *Combine) stream(in blockStream, size int) blockStream {
	switch {
	case c.Columns != nil:
		return &columnsStream{
			in: in, columns: c.Columns, size: size,
			held: make([]int64, len(c.Columns)), ints: make([]int64, len(c.Columns)),
		}
	case c.Dedup:
		return &dedupStream{in: in}
	}
	return in
}

// write combines all of in into the current segment of f. The check, if any, says what is wrong with
// a key that Func emits.
func (c *Combine) write(f *fileWriter, in blockStream, check func(key []byte) error) error {
	in = c.stream(in, f.blockSize)
	if c.Func != nil {
		return c.call(f, in, check)
	}
	for {
		block, n, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.add(block, n); err != nil {
			return err
		}
	}
}

// call runs Func over in.
func (c *Combine) call(f *fileWriter, in blockStream, check func(key []byte) error) error {
	groups := mapred.NewGroups(func() ([]byte, error) {
		block, _, err := in.next()
		return block, err
	})
	var last []byte
	begun := false
	out := mapred.NewEmitter(f.blockSize, func(block []byte) ([]byte, error) {
		n := 0
		for rest := block; len(rest) > 0; n++ {
			key, _, size, err := mapred.ReadRecord(rest)
			if err != nil {
				return block, err
			}
			rest = rest[size:]
			if begun && bytes.Equal(key, last) {
				continue
			}
			if begun && bytes.Compare(key, last) < 0 {
				return block, fmt.Errorf("combiner emitted key %s after %s: keys must come out in the order they came in",
					quote(key), quote(last))
			}
			if check != nil {
				if err := check(key); err != nil {
					return block, err
				}
			}
			last, begun = append(last[:0], key...), true
		}
		return block, f.add(block, n)
	})
	if err := c.Func(groups, out); err != nil {
		return fmt.Errorf("combine: %w", err)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if groups.Next() {
		return errors.New("combiner returned before the end of its input")
	}
	return groups.Err()
}

// quote renders a key for an error message, cut to a readable length.
func quote(key []byte) string {
	const most = 64
	if len(key) > most {
		return fmt.Sprintf("%q... (%d bytes)", key[:most], len(key))
	}
	return fmt.Sprintf("%q", key)
}

// columnsStream makes one record of the records of each key.
type columnsStream struct {
	in      blockStream
	columns mapred.Columns
	size    int

	rest  []byte // of in's block
	key   []byte
	held  []int64 // the columns of key so far
	has   bool
	ints  []int64
	value []byte
	block []byte
}

func (s *columnsStream) next() ([]byte, int, error) {
	s.block = s.block[:0]
	n := 0
	for {
		for len(s.rest) > 0 {
			key, value, size, err := mapred.ReadRecord(s.rest)
			if err != nil {
				return nil, 0, err
			}
			same := s.has && bytes.Equal(key, s.key)
			if s.has && !same {
				if n > 0 && s.full() {
					return s.block, n, nil
				}
				s.emit()
				n++
			}
			if err := s.columns.Decode(s.ints, value); err != nil {
				return nil, 0, columnsError(s.columns, key, err)
			}
			if same {
				s.columns.Merge(s.held, s.ints)
			} else {
				s.key = append(s.key[:0], key...)
				s.held, s.ints, s.has = s.ints, s.held, true
			}
			s.rest = s.rest[size:]
		}
		var err error
		s.rest, _, err = s.in.next()
		if err == io.EOF && s.has && n > 0 && s.full() {
			return s.block, n, nil
		}
		if err == io.EOF && s.has {
			s.emit()
			s.has = false
			return s.block, n + 1, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

// full reports whether the block could grow too large by the record that is held.
func (s *columnsStream) full() bool {
	return len(s.block)+len(s.key)+(len(s.held)+1)*binary.MaxVarintLen64 > s.size
}

func (s *columnsStream) emit() {
	s.value = mapred.AppendInts(s.value[:0], s.held...)
	s.block = mapred.AppendRecord(s.block, s.key, s.value)
}

func columnsError(c mapred.Columns, key []byte, err error) error {
	return fmt.Errorf("value of key %s is not %d encoded integers: %w", quote(key), len(c), err)
}

// dedupStream drops records that equal the one before.
type dedupStream struct {
	in    blockStream
	last  []byte // the last record, encoded; never empty once there is one
	block []byte
}

func (s *dedupStream) next() ([]byte, int, error) {
	s.block = s.block[:0]
	n := 0
	for n == 0 {
		block, _, err := s.in.next()
		if err != nil {
			return nil, 0, err
		}
		last := s.last
		for len(block) > 0 {
			_, _, size, err := mapred.ReadRecord(block)
			if err != nil {
				return nil, 0, err
			}
			if record := block[:size]; !bytes.Equal(record, last) {
				s.block = append(s.block, record...)
				last = record
				n++
			}
			block = block[size:]
		}
		s.last = append(s.last[:0], last...)
	}
	return s.block, n, nil
}
