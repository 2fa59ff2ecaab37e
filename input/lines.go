package input

import (
	"bytes"
	"errors"
	"io"
	"math"

	"github.com/bucketmill/bucketmill/internal/record"
)

// A framer takes whole records from the front of a stream.
type framer interface {
	// next sets b's Offset, Framing and Data, and for some formats RecordLen and Header, to
	// the next records, of which there is at least one; or fails with io.EOF after the last.
	next(b *record.Batch) error
	// position returns the offset, after decompression, behind the records so far.
	position() int64
}

// lines frames lines.
type lines struct {
	cursor
	object    string
	maxRecord int64
	partial   bool  // the stream starts with the end of a line of another split
	end       int64 // lines that start here or later are another split's
	scanned   int   // of rest, how many bytes are known to hold no line end
}

// newLines frames the lines of s. From is at the byte before the split, or at the object's first line.
func newLines(from cursor, s Split, opts Options) *lines {
	l := &lines{
		cursor:    from,
		object:    s.Input,
		maxRecord: opts.MaxRecord,
		partial:   s.Offset > 0,
		end:       s.Offset + s.Length,
	}
	if s.Offset == 0 {
		l.end = max(l.end, from.off+1) // a byte order mark belongs to the first line, wherever it is cut
	}
	if l.end == s.Size {
		l.end = math.MaxInt64 // nobody else's; and after decompression there is more
	}
	return l
}

func (l *lines) next(b *record.Batch) error {
	if l.partial {
		if err := l.skipPartial(); err != nil {
			return err
		}
		l.partial = false
	}
	for l.off < l.end {
		n := l.whole()
		if n == 0 {
			l.scanned = len(l.rest)
			if int64(l.scanned) > l.maxRecord+1 { // a CR may be half of the line's end
				return l.tooLong(l.off)
			}
			switch err := l.more(); {
			case err == nil:
				continue
			case errors.Is(err, io.EOF) && l.scanned > 0:
				n = l.scanned // the object's last line has no end
			default:
				return err
			}
		}
		b.Framing = record.Lines
		b.Offset = l.off
		b.Data = l.take(n)
		l.scanned = len(l.rest)
		return l.checkLengths(b)
	}
	return io.EOF
}

// skipPartial drops the end of a line that started before the split. It fails with io.EOF if
// no line starts inside.
func (l *lines) skipPartial() error {
	for l.off < l.end-1 {
		if err := l.more(); err != nil {
			return err
		}
		// A line end at end-1 would start the next split's first line.
		inside := l.rest[:min(int64(len(l.rest)), l.end-1-l.off)]
		if i := bytes.IndexByte(inside, '\n'); i >= 0 {
			l.take(i + 1)
			return nil
		}
		l.take(len(inside))
	}
	return io.EOF
}

// whole returns the length of the whole lines that rest starts with and that belong to the
// split.
func (l *lines) whole() int {
	stop := len(l.rest)
	if last := l.end - 1 - l.off; last < int64(stop) {
		// The first line end from the split's last byte on ends its last line.
		from := max(int(last), l.scanned)
		if i := bytes.IndexByte(l.rest[from:], '\n'); i >= 0 {
			return from + i + 1
		}
		stop = int(last)
	}
	if stop <= l.scanned {
		return 0
	}
	if i := bytes.LastIndexByte(l.rest[l.scanned:stop], '\n'); i >= 0 {
		return l.scanned + i + 1
	}
	return 0
}

// checkLengths looks for a line that is too long, which a batch can only hold if it is long
// itself.
func (l *lines) checkLengths(b *record.Batch) error {
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

func (l *lines) tooLong(off int64) error {
	return &RecordTooLongError{Object: l.object, Offset: off, Limit: l.maxRecord}
}
