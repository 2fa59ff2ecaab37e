package shuffle

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// boundsVersion is the first byte of encoded bounds.
const boundsVersion = 1

var errBounds = errors.New("partition bounds are damaged")

// AppendBounds appends the encoding of a Partitioner with Boundaries; see FORMAT.md.
func AppendBounds(dst []byte, p Partitioner) []byte {
	dst = append(dst, boundsVersion)
	dst = binary.AppendUvarint(dst, uint64(p.Partitions))
	dst = binary.AppendUvarint(dst, uint64(len(p.Boundaries)))
	for _, b := range p.Boundaries {
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		dst = append(dst, b...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Spread)))
	for _, s := range p.Spread {
		dst = binary.AppendUvarint(dst, uint64(s.First))
		dst = binary.AppendUvarint(dst, uint64(s.Last))
	}
	return dst
}

// ParseBounds reads what AppendBounds wrote. The boundaries alias data. It fails if data is
// incomplete or describes no valid Partitioner.
func ParseBounds(data []byte) (Partitioner, error) {
	if len(data) == 0 || data[0] != boundsVersion {
		return Partitioner{}, fmt.Errorf("%w: unknown version", errBounds)
	}
	r := boundsReader{rest: data[1:]}
	p := Partitioner{Partitions: r.number(), Boundaries: [][]byte{}}
	for range r.count() {
		n := r.number()
		if r.err || n > len(r.rest) {
			return p, errBounds
		}
		p.Boundaries = append(p.Boundaries, r.rest[:n:n])
		r.rest = r.rest[n:]
	}
	for range r.count() {
		p.Spread = append(p.Spread, Span{First: r.number(), Last: r.number()})
	}
	if r.err || len(r.rest) > 0 {
		return p, errBounds
	}
	if err := p.validate(); err != nil {
		return p, fmt.Errorf("%w: %w", errBounds, err)
	}
	return p, nil
}

type boundsReader struct {
	rest []byte
	err  bool
}

// number reads a number that fits into an int32.
func (r *boundsReader) number() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > 1<<31-1 {
		r.err, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

// count reads the number of the items that follow, each of which takes at least one byte.
func (r *boundsReader) count() int {
	n := r.number()
	if n > len(r.rest) {
		r.err = true
		return 0
	}
	return n
}
