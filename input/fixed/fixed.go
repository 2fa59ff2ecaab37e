// Package fixed reads records of one length, back to back: the input format fixed:N.
package fixed

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Format is the format of records of one length. The zero Format is for a table: it has no length.
type Format struct {
	length int // bytes, 1 to record.MaxFieldLen
}

const name = "fixed"

func (f Format) String() string {
	if f.length == 0 {
		return name + ":N"
	}
	return name + ":" + strconv.Itoa(f.length)
}

// Parse implements input.Kind.
func (Format) Parse(s string) (input.Kind, error) {
	n, ok := strings.CutPrefix(s, name+":")
	if !ok {
		return nil, nil
	}
	length, err := strconv.ParseInt(n, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, fmt.Errorf("input format %q: want fixed:N with N the length of a record in bytes, such as fixed:100", s)
	}
	if length < 1 || length > record.MaxFieldLen {
		return nil, fmt.Errorf("input format %q: a record has 1 to %d bytes", s, record.MaxFieldLen)
	}
	return Format{int(length)}, nil
}

// Traits implements input.Kind.
func (Format) Traits() input.Traits { return input.Traits{Splittable: true} }

// Check implements input.Kind.
func (f Format) Check(object string, size, maxRecord int64) error {
	switch {
	case f.length < 1 || f.length > record.MaxFieldLen:
		return fmt.Errorf("input format %v: a record has 1 to %d bytes", f, record.MaxFieldLen)
	case int64(f.length) > maxRecord:
		return fmt.Errorf("input format %v: records are longer than the limit of %d bytes", f, maxRecord)
	case size >= 0 && size%int64(f.length) != 0:
		return f.notMultiple(object, size)
	}
	return nil
}

// Reads implements input.Kind.
func (f Format) Reads(s input.Split, opts input.Options) (ranges int, head bool) {
	return s.StreamReads(f.stretch(s), opts)
}

// Open implements input.Kind.
func (f Format) Open(in *input.Source) input.Records {
	return &records{Stream: in.Stream(f.stretch(in.Split)), object: in.Split.Input, format: f}
}

func (f Format) stretch(s input.Split) input.Stretch {
	stop := f.firstRecord(s.Offset + s.Length)
	return input.Stretch{From: f.firstRecord(s.Offset), Limit: stop, Stop: stop}
}

// firstRecord returns the offset of the first record that starts at or after off.
func (f Format) firstRecord(off int64) int64 {
	n := int64(f.length)
	return (off + n - 1) / n * n
}

func (f Format) notMultiple(object string, size int64) error {
	return &input.FormatError{
		Object: object,
		Offset: size - size%int64(f.length),
		Reason: fmt.Sprintf("its size, %d bytes, is not a multiple of the record length, %d bytes", size, f.length),
	}
}

// records reads the records of a split.
type records struct {
	input.Stream
	object string
	format Format
}

// Next implements input.Records.
func (r *records) Next(b *record.Batch) error {
	for {
		if n := len(r.Rest) - len(r.Rest)%r.format.length; n > 0 {
			b.Framing = record.Fixed
			b.RecordLen = r.format.length
			b.Offset = r.Off
			b.Data = r.Take(n)
			return nil
		}
		err := r.More()
		if errors.Is(err, io.EOF) && len(r.Rest) > 0 { // only after decompression: otherwise Check knows the size
			return r.format.notMultiple(r.object, r.Off+int64(len(r.Rest)))
		}
		if err != nil {
			return err
		}
	}
}
