package shuffle

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/internal/tally"
)

// columnsStream makes the records of each key one record.
type columnsStream struct {
	in      blockStream
	columns record.Columns
	size    int

	rest   []byte // the rest of in's block
	key    []byte
	held   []record.Total // key's columns so far
	has    bool
	totals []record.Total // the next record's columns
	value  []byte
	block  []byte
}

func (s *columnsStream) Next() ([]byte, int, error) {
	s.block = s.block[:0]
	n := 0
	for {
		for len(s.rest) > 0 {
			key, value, size, err := record.Read(s.rest)
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
			if err := s.columns.DecodeTotals(s.totals, value); err != nil {
				return nil, 0, tally.ValueError(s.columns, key, err)
			}
			if same {
				s.columns.MergeTotals(s.held, s.totals)
			} else {
				s.key = append(s.key[:0], key...)
				s.held, s.totals, s.has = s.totals, s.held, true
			}
			s.rest = s.rest[size:]
		}
		var err error
		s.rest, _, err = s.in.Next()
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

// full reports whether the pending record could make the block too large.
func (s *columnsStream) full() bool {
	return len(s.block)+len(s.key)+binary.MaxVarintLen64+len(s.held)*record.MaxTotalLen > s.size
}

func (s *columnsStream) emit() {
	s.value = record.AppendTotals(s.value[:0], s.held)
	s.block = record.Append(s.block, s.key, s.value)
}

// dedupStream drops records that equal the previous one.
type dedupStream struct {
	in    blockStream
	last  []byte // the last record, encoded; never empty once there is one
	block []byte
}

func (s *dedupStream) Next() ([]byte, int, error) {
	s.block = s.block[:0]
	n := 0
	for n == 0 {
		block, _, err := s.in.Next()
		if err != nil {
			return nil, 0, err
		}
		last := s.last
		for len(block) > 0 {
			_, _, size, err := record.Read(block)
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
