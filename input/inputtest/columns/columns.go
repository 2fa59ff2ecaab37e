// Package columns is an input format for tests: a table of two columns, stored column by column in
// groups of rows that a footer lists. Its records have keys, the first column, and values, the
// second. It shows what a columnar format needs of package input.
//
//	object = group* footer, uint32 length of the footer
//	footer = for each group: uint64 offset, uint32 length, uint32 rows
//	group  = keys, then values; each is uint32 length, bytes
package columns

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Format is the format columns.
type Format struct{}

const (
	name      = "columns"
	entryLen  = 16 // bytes of a group's entry in the footer
	lengthLen = 4
)

func (Format) String() string { return name }

// Parse implements input.Kind.
func (f Format) Parse(s string) (input.Kind, error) {
	if s != name {
		return nil, nil
	}
	return f, nil
}

// Traits implements input.Kind. An object may be cut anywhere: a group belongs to the split of its
// first byte.
func (Format) Traits() input.Traits { return input.Traits{Splittable: true} }

// Check implements input.Kind.
func (Format) Check(object string, size, _ int64) error {
	if size >= 0 && size < lengthLen {
		return &input.FormatError{Object: object, Offset: 0, Reason: "too short for a table"}
	}
	return nil
}

// Reads implements input.Kind. How many groups a split has is not known before its footer is read:
// two are likely.
func (Format) Reads(input.Split, input.Options) (ranges int, head bool) { return 2 + 2, false }

// Open implements input.Kind.
func (Format) Open(in *input.Source) input.Records { return &records{in: in} }

type group struct {
	offset       int64
	length, rows int
}

// records reads the groups that begin in a split.
type records struct {
	in     *input.Source
	known  bool
	groups []group // that are left
	at     int64   // up to which byte the object was consumed
	buf    []byte
	block  []byte
}

// Next implements input.Records: a group is a batch.
func (r *records) Next(b *record.Batch) error {
	if !r.known {
		if err := r.footer(); err != nil {
			return err
		}
		r.known = true
	}
	if len(r.groups) == 0 {
		return io.EOF
	}
	g := r.groups[0]
	r.groups = r.groups[1:]
	r.buf = make([]byte, g.length)
	if err := r.in.ReadAt(r.buf, g.offset); err != nil {
		return err
	}
	fields := make([][]byte, 2*g.rows)
	rest := r.buf
	for i := range fields {
		if len(rest) < lengthLen || len(rest)-lengthLen < int(binary.BigEndian.Uint32(rest)) {
			return r.broken(g.offset)
		}
		n := binary.BigEndian.Uint32(rest)
		fields[i], rest = rest[lengthLen:lengthLen+n], rest[lengthLen+n:]
	}
	r.block = r.block[:0]
	for i := range g.rows {
		r.block = record.AppendKeyed(r.block, g.offset+int64(i), fields[i], fields[g.rows+i])
	}
	b.Framing, b.Offset, b.Data = record.Keyed, g.offset, r.block
	r.at = g.offset + int64(g.length)
	return nil
}

// footer reads which groups the split has.
func (r *records) footer() error {
	s := r.in.Split
	length := make([]byte, lengthLen)
	if err := r.in.ReadAt(length, s.Size-lengthLen); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(length))
	if n%entryLen != 0 || n > s.Size-lengthLen {
		return r.broken(s.Size - lengthLen)
	}
	footer := make([]byte, n)
	if err := r.in.ReadAt(footer, s.Size-lengthLen-n); err != nil {
		return err
	}
	for ; len(footer) > 0; footer = footer[entryLen:] {
		g := group{int64(binary.BigEndian.Uint64(footer)), int(binary.BigEndian.Uint32(footer[8:])), int(binary.BigEndian.Uint32(footer[12:]))}
		if s.Offset <= g.offset && g.offset < s.Offset+s.Length {
			r.groups = append(r.groups, g)
		}
	}
	return nil
}

func (r *records) broken(at int64) error {
	return &input.FormatError{Object: r.in.Split.Input, Offset: at, Reason: "not a table of columns"}
}

// Position implements input.Records.
func (r *records) Position() int64 { return r.at }

// Close implements input.Records.
func (r *records) Close() {}

// Row is a row of a table.
type Row struct{ Key, Value string }

// Encode returns an object with rows, in groups of a size.
func Encode(rows []Row, size int) []byte {
	var data, footer []byte
	for len(rows) > 0 {
		some := rows[:min(size, len(rows))]
		rows = rows[len(some):]
		start := len(data)
		for _, row := range some {
			data = appendField(data, row.Key)
		}
		for _, row := range some {
			data = appendField(data, row.Value)
		}
		footer = binary.BigEndian.AppendUint64(footer, uint64(start))
		footer = binary.BigEndian.AppendUint32(footer, uint32(len(data)-start))
		footer = binary.BigEndian.AppendUint32(footer, uint32(len(some)))
	}
	data = append(data, footer...)
	return binary.BigEndian.AppendUint32(data, uint32(len(footer)))
}

func appendField(dst []byte, s string) []byte {
	return fmt.Append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s)
}
