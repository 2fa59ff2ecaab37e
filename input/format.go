package input

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/internal/record"
)

// Kind says how records lie in an object.
type Kind uint8

const (
	Text         Kind = iota // lines, ended by LF or CRLF
	JSONL                    // lines, each a JSON value; the JSON is not looked into
	CSV                      // lines; the first is the header, and no field holds an LF
	CSVMultiline             // rows whose quoted fields may hold line ends; the first is the header (quotes: see csvquotes.go)
	Whole                    // the object is one record
	Fixed                    // records of Format.RecordLen bytes, back to back
)

var kindNames = [...]string{"text", "jsonl", "csv", "csv-multiline", "whole", "fixed"}

// Format is the format of a job's input objects. The zero Format is text.
type Format struct {
	Kind      Kind
	RecordLen int // bytes, 1 to record.MaxFieldLen; of Fixed only, else 0

	// AsIs takes the objects' bytes as they are, whatever names and first bytes say: nothing is decompressed,
	// and nothing refused. Text keeps a byte order mark; in JSON and CSV it can't be part of a value, and is dropped.
	AsIs bool
}

// ParseInput reads a format's name as ParseFormat does, and what is wanted of compression: auto, which is
// the default, or none for Format.AsIs.
func ParseInput(format, compression string) (Format, error) {
	f, err := ParseFormat(format)
	if err != nil {
		return f, err
	}
	switch compression {
	case "", "auto":
	case "none":
		f.AsIs = true
	default:
		return Format{}, fmt.Errorf("unknown compression %q: want auto (by names and first bytes) or none (the bytes as they are)", compression)
	}
	return f, nil
}

// ParseFormat reads a format's name: text, jsonl, csv, csv-multiline, whole, or fixed:N with
// N the length of a record in bytes. The empty name is text.
func ParseFormat(s string) (Format, error) {
	if s == "" {
		return Format{}, nil
	}
	if n, ok := strings.CutPrefix(s, "fixed:"); ok {
		length, err := strconv.ParseInt(n, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return Format{}, fmt.Errorf("input format %q: want fixed:N with N the length of a record in bytes, such as fixed:100", s)
		}
		if length < 1 || length > record.MaxFieldLen {
			return Format{}, fmt.Errorf("input format %q: a record has 1 to %d bytes", s, record.MaxFieldLen)
		}
		return Format{Kind: Fixed, RecordLen: int(length)}, nil
	}
	for kind, name := range kindNames {
		if s == name && Kind(kind) != Fixed {
			return Format{Kind: Kind(kind)}, nil
		}
	}
	if s == "raw" {
		return Format{}, fmt.Errorf("unknown input format %q: to read the bytes as they are, take any format and --compression none", s)
	}
	return Format{}, fmt.Errorf("unknown input format %q: want text, jsonl, csv, csv-multiline, whole or fixed:N", s)
}

// String returns the name that ParseFormat reads.
func (f Format) String() string {
	switch {
	case int(f.Kind) >= len(kindNames):
		return fmt.Sprintf("Format(%d)", f.Kind)
	case f.Kind == Fixed:
		return "fixed:" + strconv.Itoa(f.RecordLen)
	}
	return kindNames[f.Kind]
}

// MarshalText returns the format's name. It fails for one with AsIs, which a name does not tell.
func (f Format) MarshalText() ([]byte, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	if f.AsIs {
		return nil, fmt.Errorf("input format %v: its name does not tell that bytes are read as they are", f)
	}
	return []byte(f.String()), nil
}

// UnmarshalText is ParseFormat.
func (f *Format) UnmarshalText(text []byte) (err error) {
	*f, err = ParseFormat(string(text))
	return err
}

func (f Format) validate() error {
	switch {
	case int(f.Kind) >= len(kindNames):
		return fmt.Errorf("unknown input format %v", f)
	case f.Kind == Fixed && (f.RecordLen < 1 || f.RecordLen > record.MaxFieldLen):
		return fmt.Errorf("input format %v: a record has 1 to %d bytes", f, record.MaxFieldLen)
	case f.Kind != Fixed && f.RecordLen != 0:
		return fmt.Errorf("input format %v: no record length wanted, is %d", f, f.RecordLen)
	}
	return nil
}

// Splittable reports whether objects of that name and format may be read in several splits.
// Those that may not, because they are compressed or because their records can't be found
// from the middle, are one split each. One that is compressed under another name is cut, too; then the
// split that begins at 0 has all its records, and the others have none.
func Splittable(name string, f Format) bool {
	return f.Kind != Whole && f.Kind != CSVMultiline && (f.AsIs || CompressionOf(name) == Uncompressed)
}

// text reports whether the records are lines or rows of text.
func (f Format) text() bool { return f.Kind != Whole && f.Kind != Fixed }

// untouched reports whether first bytes make no difference.
func (f Format) untouched() bool { return !f.text() || f.AsIs && f.Kind == Text }
