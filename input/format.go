package input

import (
	"fmt"
	"strings"

	"github.com/bucketmill/bucketmill/internal/record"
)

// Format is how a job reads its input objects: what a record is, and what is decompressed. It is comparable, and
// its text is the name that a Table parses. A Table makes it; the zero Format is none.
type Format struct {
	Kind

	// AsIs takes the objects' bytes as they are, whatever names and first bytes say: nothing is decompressed,
	// and nothing refused.
	AsIs bool

	table *Table
}

// A Kind says what a record is: it finds the records in the bytes of an object. Each has a folder, and a line in
// package formats. Its values are immutable, and comparable.
type Kind interface {
	// String returns the name by which users ask for the format, with its parameter if it has one. In a Table, a
	// letter stands for the parameter: "fixed:N".
	String() string

	// Parse returns the format that a name asks for. It returns nil for the name of another one.
	Parse(name string) (Kind, error)

	// Traits returns what is true of all the format's objects.
	Traits() Traits

	// Check fails for an object that can't be read: of a size, in bytes, that shows it, or with any size for this
	// limit of a record. The size is -1 if only reading tells it, because the object is compressed.
	Check(object string, size, maxRecord int64) error

	// Reads returns by how many ranged reads Open and Next read the records of a split, if none of them reaches far
	// past the split's end and none is repeated; and whether the object's first bytes are read, too, by a request
	// of their own that [Heads] may save.
	Reads(s Split, opts Options) (ranges int, head bool)

	// Open begins to read the records of in's split. It does not wait for data. The split has a byte at least.
	Open(in *Source) Records
}

// Traits is what a Kind says about its objects and records.
type Traits struct {
	// Text: the records are lines or rows of text. Then a byte order mark is no part of them, and the first bytes of an
	// object decide whether it is compressed, or no text at all.
	Text bool

	// Lines: each record is a line, so it is found in the middle of a stream without knowing the offset, and a program
	// that reads lines gets it without a key.
	Lines bool

	// Splittable: an object that is not compressed may be read in several splits.
	Splittable bool
}

// Records reads the records of a split, a batch at a time. It belongs to one goroutine.
type Records interface {
	// Next sets b's Offset, Framing and Data, and for some formats RecordLen and Header, to the next records, of
	// which there is at least one, and about a megabyte at most unless one is longer. It fails with io.EOF after the
	// last. Data is valid until Next or Close is called.
	Next(b *record.Batch) error

	// Position returns up to which byte the object was consumed for the records so far.
	Position() int64

	// Close ends all reads and waits until they have ended. What they still had to say is of no interest.
	Close()
}

// Splittable reports whether objects of that name may be read in several splits. Those that may not, because they are
// compressed or because their records can't be found from the middle, are one split each. One that is compressed under
// another name is cut, too; then the split that begins at 0 has all its records, and the others have none.
func (f Format) Splittable(name string) bool {
	c := f.compression(name)
	traits := f.Traits()
	return traits.Splittable && (c == nil || c.Splittable() && traits.Lines)
}

// Check fails for an object whose size, in bytes, shows that it can't be read with records of up to maxRecord bytes.
func (f Format) Check(object string, size, maxRecord int64) error {
	if f.compression(object) != nil {
		size = -1
	}
	return f.Kind.Check(object, size, maxRecord)
}

// compression is how an object is compressed, by its name; nil: not.
func (f Format) compression(name string) Compression {
	if f.AsIs {
		return nil
	}
	name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	for _, c := range f.table.Compressions {
		for _, suffix := range c.Suffixes() {
			if strings.HasSuffix(name, suffix) {
				return c
			}
		}
	}
	return nil
}

// A Table has the formats and compressions that can be read.
type Table struct {
	Kinds        []Kind // the first is what an empty name asks for
	Compressions []Compression
}

// Parse returns the format with a name, and with what is wanted of compression: auto, which is the default, or none for
// Format.AsIs.
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

// Names returns the names of all formats, with a letter for a parameter: "text", "fixed:N".
func (t *Table) Names() []string {
	names := make([]string, len(t.Kinds))
	for i, k := range t.Kinds {
		names[i] = k.String()
	}
	return names
}
