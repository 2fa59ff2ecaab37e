package input

import (
	"bytes"
	"io"

	"github.com/bucketmill/bucketmill/internal/record"
)

// begin makes the framer. Where text is to begin, it looks at the first bytes for that. It fails with
// io.EOF if no record begins in the split, for the object is compressed.
func (r *Reader) begin() error {
	s, opts := r.split, r.opts
	var in window = r.in
	if r.inflated != nil {
		in = r.inflated
	}
	switch opts.Format.Kind {
	case Fixed:
		n := opts.Format.RecordLen
		r.framer = &fixed{cursor: cursor{in: in, off: firstRecord(s.Offset, n)}, object: s.Input, recordLen: n}
		return nil
	case Whole:
		r.framer = &whole{cursor: cursor{in: in}, object: s.Input, maxRecord: opts.MaxRecord}
		return nil
	}
	from, err := r.text()
	if err != nil {
		return err
	}
	if r.inflated != nil {
		s.Length = s.Size // whatever the plan took the object for
	}
	switch opts.Format.Kind {
	case CSV:
		r.framer = &csvLines{lines: *newLines(from, s, opts), first: s.Offset == 0, line: r.header}
	case CSVMultiline:
		r.framer = &csvRows{cursor: from, object: s.Input, maxRecord: opts.MaxRecord}
	default:
		r.framer = newLines(from, s, opts)
	}
	return nil
}

// text finds where the split's text is: in the object, or in what is decompressed from it, in a way that
// its name or its first bytes tell.
func (r *Reader) text() (from cursor, err error) {
	s, opts := r.split, r.opts
	if s.Offset > 0 {
		return r.laterText()
	}
	if opts.Format.untouched() {
		return cursor{in: r.in}, nil
	}
	if r.inflated == nil {
		from, c, err := start(r.in, s.Input)
		if err != nil || opts.Format.AsIs {
			return from, err
		}
		if c.codec == Uncompressed {
			return from, c.refuse(s.Input, Uncompressed, opts.Format)
		}
		r.in.readAll()
		r.inflated = newInflated(r.in, from.rest, s, c.codec, opts)
	}
	from, c, err := start(r.inflated, "")
	if err == nil {
		err = c.refuse(s.Input, r.inflated.codec, opts.Format)
	}
	return from, err
}

// laterText is text for a split that does not begin with the object.
func (r *Reader) laterText() (from cursor, err error) {
	s, opts := r.split, r.opts
	var c content
	switch {
	case opts.Format.Kind == CSV:
		r.header, c, err = r.firstLine()
	case s.ReadsHead(opts):
		// A source of its own: what is read for all splits of the object counts for none.
		src := &source{get: r.src.get, object: r.src.object, size: r.src.size}
		c, err = opts.Heads.of(r.ctx, s.Input, src.head)
	}
	switch {
	case err != nil:
		return cursor{}, err
	case opts.Format.AsIs:
	case c.codec != Uncompressed:
		r.hidden = true
		return cursor{}, io.EOF
	case c.foreign != nil:
		return cursor{}, c.refuse(s.Input, Uncompressed, opts.Format)
	}
	return cursor{in: r.in, off: s.Offset - 1}, nil
}

// firstLine reads the object's first line, by small ranged reads, and what its first bytes say.
func (r *Reader) firstLine() ([]byte, content, error) {
	s, opts := r.split, r.opts
	s.Offset, s.Length = 0, 1
	opts.RangeBytes = min(opts.RangeBytes, maxSlack)
	in := openPlain(r.ctx, s, opts, r.src)
	defer in.close()
	from, c, err := start(in, s.Input)
	if err != nil || c != (content{}) && !opts.Format.AsIs {
		return nil, c, err
	}
	var b record.Batch
	l := newLines(from, s, opts)
	if err := l.next(&b); err != nil {
		return nil, c, l.firstLineError(&b, err)
	}
	return bytes.Clone(b.Data), c, nil // its buffer is given to others
}
