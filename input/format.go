package input

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/internal/record"
)

// Format is how a job reads its input objects: what a record is, and what is decompressed. It is
// comparable, and its text is the name that a Table parses. Only a Table makes valid Formats.
type Format struct {
	Kind

	// AsIs takes the objects' bytes as they are, whatever names and first bytes say: nothing is
	// decompressed or refused.
	AsIs bool

	table *Table
}

// A Kind finds the records in the bytes of an object. Each implementation has a folder below this
// package, and a line in package formats. Its values are immutable and comparable.
type Kind interface {
	// String returns the name by which users ask for the format, with its parameter if it has one:
	// "fixed:100". The Kind in a Table has a letter in place of the parameter: "fixed:N".
	String() string

	// Parse returns the Kind that a name asks for, or nil if it is the name of another format.
	Parse(name string) (Kind, error)

	// Traits returns what is true of all objects of the format.
	Traits() Traits

	// Check fails if an object of a size, in bytes, can't be read with records of up to maxRecord
	// bytes. The size is -1 if the object is compressed.
	Check(object string, size, maxRecord int64) error

	// Reads returns how many ranged reads the records of a split take, as Split.Reads does. The
	// split has at least one byte, and opts has no zeros.
	Reads(s Split, opts Options) (ranges int, head bool)

	// Open begins to read the records of in's split, which has at least one byte. It does not wait
	// for data.
	Open(in *Source) Records
}

// Traits describes the objects and records of a Kind.
type Traits struct {
	// Text: the records are lines or rows of text. A byte order mark is then not part of them, and
	// an object's first bytes decide whether it is compressed, or not text at all.
	Text bool

	// Lines: each record is a line. Records can then be found in the middle of a stream whose
	// offset is not known, and programs that read lines get them without keys.
	Lines bool

	// Splittable: an object that is not compressed may be read in several splits.
	Splittable bool
}

// Records reads the records of a split, a batch at a time. It belongs to one goroutine.
type Records interface {
	// Next sets Offset, Framing and Data of b, and for some formats RecordLen and Header, to the
	// next records: at least one, and up to about a megabyte unless one is longer. It fails with
	// io.EOF after the last. The bytes are valid until Next or Close is called.
	Next(b *record.Batch) error

	// Position returns how far the object was consumed for the records so far, as an offset.
	Position() int64

	// Close ends all reads and waits for them. It may be called again.
	Close()
}

// Splittable reports whether an object with a name may be read in several splits. Otherwise,
// because it is compressed or because records can't be found from its middle, it is one split. An
// object that is compressed under another name is cut, too; the split that begins at 0 then has all
// its records, and the others have none.
func (f Format) Splittable(name string) bool {
	c := f.compression(name)
	traits := f.Traits()
	return traits.Splittable && (c == nil || c.Splittable() && traits.Lines)
}

// Check fails if the size of an object, in bytes, shows that it can't be read with records of up to
// maxRecord bytes.
func (f Format) Check(object string, size, maxRecord int64) error {
	if f.compression(object) != nil {
		size = -1
	}
	return f.Kind.Check(object, size, maxRecord)
}

// compression returns how an object is compressed, by its name, or nil.
func (f Format) compression(name string) Compression {
	if f.AsIs {
		return nil
	}
	name = strings.ToLower(name[max(0, strings.LastIndexByte(name, '.')):])
	for _, c := range f.table.Compressions {
		if slices.Contains(c.Suffixes(), name) {
			return c
		}
	}
	return nil
}

// A Table lists the formats and compressions that can be read.
type Table struct {
	Kinds        []Kind // the first is the default
	Compressions []Compression
}

// Parse returns the format with a name; the empty name is the default. Compression is auto, which
// is the default, or none for Format.AsIs.
func (t *Table) Parse(name, compression string) (Format, error) {
	f := Format{table: t}
	var err error
	if f.Kind, err = t.kind(name); err != nil {
		return Format{}, err
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

func (t *Table) kind(name string) (Kind, error) {
	if name == "" {
		return t.Kinds[0], nil
	}
	for _, k := range t.Kinds {
		if parsed, err := k.Parse(name); parsed != nil || err != nil {
			return parsed, err
		}
	}
	if name == "raw" {
		return nil, fmt.Errorf("unknown input format %q: to read the bytes as they are, take any format and --compression none", name)
	}
	names := t.Names()
	last := len(names) - 1
	return nil, fmt.Errorf("unknown input format %q: want %s or %s", name, strings.Join(names[:last], ", "), names[last])
}

// Names returns the names of all formats, with a letter in place of a parameter: "text", "fixed:N".
func (t *Table) Names() []string {
	names := make([]string, len(t.Kinds))
	for i, k := range t.Kinds {
		names[i] = k.String()
	}
	return names
}
