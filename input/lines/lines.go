// Package lines reads records that are lines, ended by LF or CRLF: the input formats text and
// jsonl. Other formats that consist of lines build on [Lines].
package lines

import (
	"bytes"
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Format is a format of lines.
type Format struct {
	name  string
	marks bool // a byte order mark can be part of a line
}

// The formats.
var (
	Text  = Format{name: "text", marks: true}
	JSONL = Format{name: "jsonl"} // each line is a JSON value, which is not checked here
)

func (f Format) String() string { return f.name }

// Parse implements input.Kind.
func (f Format) Parse(name string) (input.Kind, error) {
	if name != f.name {
		return nil, nil
	}
	return f, nil
}

// Traits implements input.Kind.
func (Format) Traits() input.Traits { return input.Traits{Text: true, Lines: true, Splittable: true} }

// Check implements input.Kind.
func (Format) Check(string, int64, int64) error { return nil }

// Reads implements input.Kind.
func (Format) Reads(s input.Split, opts input.Options) (ranges int, head bool) {
	return s.StreamReads(Stretch(s, opts), opts)
}

// Open implements input.Kind.
func (f Format) Open(in *input.Source) input.Records {
	l := Open(in)
	l.asIs = f.marks && in.Options.Format.AsIs
	return l
}

// Stretch is what the lines of a split need of an object. It starts at the byte before the split:
// only a line end there shows that a line begins exactly at the split's offset.
func Stretch(s input.Split, opts input.Options) input.Stretch {
	return s.PastEnd(max(0, s.Offset-1), opts)
}

// Lines reads the lines of a split, in batches with the framing Lines.
type Lines struct {
	input.Stream
	object    string
	maxRecord int64
	asIs      bool // the first bytes don't matter
	begun     bool
	partial   bool // the stream starts with the end of another split's line
	scanned   int  // how many bytes of Rest are known to have no line end
}

// Open begins to read the lines of in's split.
func Open(in *input.Source) *Lines {
	return &Lines{
		Stream:    in.Stream(Stretch(in.Split, in.Options)),
		object:    in.Split.Input,
		maxRecord: in.Options.MaxRecord,
		partial:   in.Split.Offset > 0,
	}
}

// Next implements input.Records.
func (l *Lines) Next(b *record.Batch) error {
	if !l.begun {
		l.begun = true
		if err := l.begin(); err != nil {
			return err
		}
	}
	if l.partial {
		if err := l.skipPartial(); err != nil {
			return err
		}
		l.partial = false
	}
	for l.Off < l.End {
		n := l.whole()
		if n == 0 {
			l.scanned = len(l.Rest)
			if int64(l.scanned) > l.maxRecord+1 { // the last byte may be the CR of a line end
				return l.tooLong(l.Off)
			}
			switch err := l.More(); {
			case err == nil:
				continue
			case errors.Is(err, io.EOF) && l.scanned > 0:
				n = l.scanned // the object's last line has no end
			default:
				return err
			}
		}
		b.Framing = record.Lines
		b.Offset = l.Off
		b.Data = l.Take(n)
		l.scanned = len(l.Rest)
		return l.checkLengths(b)
	}
	return io.EOF
}

func (l *Lines) begin() error {
	if l.asIs {
		return nil
	}
	return l.Text()
}

// skipPartial drops the end of a line that started before the split. It fails with io.EOF if no
// line starts inside.
func (l *Lines) skipPartial() error {
	for l.Off < l.End-1 {
		if err := l.More(); err != nil {
			return err
		}
		// A line end at end-1 would start the next split's first line.
		inside := l.Rest[:min(int64(len(l.Rest)), l.End-1-l.Off)]
		if i := bytes.IndexByte(inside, '\n'); i >= 0 {
			l.Take(i + 1)
			return nil
		}
		l.Take(len(inside))
	}
	return io.EOF
}

// whole returns the length of the whole lines at the start of Rest that belong to the split.
func (l *Lines) whole() int {
	stop := len(l.Rest)
	if last := l.End - 1 - l.Off; last < int64(stop) {
		// The first line end at or after the split's last byte ends its last line.
		from := max(int(last), l.scanned)
		if i := bytes.IndexByte(l.Rest[from:], '\n'); i >= 0 {
			return from + i + 1
		}
		stop = int(last)
	}
	if stop <= l.scanned {
		return 0
	}
	if i := bytes.LastIndexByte(l.Rest[l.scanned:stop], '\n'); i >= 0 {
		return l.scanned + i + 1
	}
	return 0
}

// checkLengths looks for a line that is too long. A batch can contain one only if the batch is long
// itself.
func (l *Lines) checkLengths(b *record.Batch) error {
	if int64(len(b.Data)) <= l.maxRecord {
		return nil
	}
	for off, line := range b.Records() {
		if int64(len(line)) > l.maxRecord {
			return l.tooLong(off)
		}
	}
	return nil
}

func (l *Lines) tooLong(off int64) error {
	return &input.RecordTooLongError{Object: l.object, Offset: off, Limit: l.maxRecord}
}
