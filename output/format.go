package output

import (
	"fmt"
	"io"
	"strings"
)

// A Format is a format of parts. Its values are immutable, and comparable.
type Format interface {
	// String returns the name by which users ask for the format.
	String() string

	// NewWriter returns the Writer of one part, which writes the part's bytes to w.
	NewWriter(w io.Writer, opts Options) Writer
}

// Options says what the records of a job are.
type Options struct {
	// KeyOnly says that a record is its key: the values are empty, and not written.
	KeyOnly bool
}

// A Writer writes the records of one part. It belongs to one goroutine.
type Writer interface {
	// Write writes a block of encoded records (see package record). It keeps none of its bytes.
	Write(block []byte) error

	// Records returns how many records were written.
	Records() int64

	// Close writes what is left to write. It does not close what it writes to.
	Close() error
}

// A Table has the formats that can be written. The first is the default.
type Table []Format

// Parse returns the format with a name; the empty name is the default.
func (t Table) Parse(name string) (Format, error) {
	if name == "" {
		return t[0], nil
	}
	names := make([]string, len(t))
	for i, f := range t {
		if names[i] = f.String(); names[i] == name {
			return f, nil
		}
	}
	return nil, fmt.Errorf("unknown output format %q: want %s", name, strings.Join(names, ", "))
}
