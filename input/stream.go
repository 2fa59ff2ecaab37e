package input

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
)

// Stream shows the bytes that contain the records of a split, after decompression, a piece at a
// time while they still arrive. It belongs to one goroutine.
type Stream struct {
	// Rest is the bytes that have arrived and were not taken. They are valid until More is called.
	Rest []byte
	// Off is the offset of Rest's first byte in the object, after decompression.
	Off int64
	// End is where the split ends: lines that begin here or later belong to another split. More may
	// change it.
	End int64

	src      *Source
	in       window
	raw      objectWindow // shows the object's own bytes: it is in, or in decompresses them
	inflated *inflated    // in, if the object is compressed; otherwise nil
}

// Stream begins to read what the split's records need of the object. If the object's name says that
// it is compressed, Stream reads what the compression needs instead, and decompresses it.
func (s *Source) Stream(need Stretch) Stream {
	split, opts := s.Split, s.Options
	t := Stream{src: s, Off: need.From, End: split.Offset + split.Length}
	if t.End == split.Size {
		t.End = math.MaxInt64 // no other split follows, and after decompression there are more bytes
	}
	if c := opts.Format.compression(split.Input); c != nil {
		t.raw = newRanges(s.ctx, s.source, compressedStretch(c, split, opts), opts)
		t.inflate(c, split, nil)
		return t
	}
	if opts.Direct && !need.Kept {
		t.raw = newDirect(s.ctx, s.source, need, opts)
	} else {
		r := newRanges(s.ctx, s.source, need, opts)
		if need.Kept && split.Size > int64(opts.RangeBytes) {
			r.joined = make([]byte, 0, split.Size)
		}
		t.raw = r
	}
	t.in = t.raw
	s.seekable = true
	return t
}

// inflate decompresses what raw shows. It has shown the bytes of shown already.
func (t *Stream) inflate(c Compression, split Split, shown []byte) {
	t.src.seekable = false
	t.inflated = newInflated(t.src, t.raw, shown, split, c)
	t.in, t.Rest, t.Off, t.End = t.inflated, nil, 0, math.MaxInt64
}

// More adds at least one byte to Rest, or fails: with io.EOF at the end of the stream.
func (t *Stream) More() error {
	view, err := t.in.more(len(t.Rest))
	if err == nil || errors.Is(err, io.EOF) {
		t.Rest = view
	}
	if f := t.inflated; f != nil {
		t.Off, t.End = f.start+f.out-int64(len(t.Rest)), f.end
	}
	return err
}

// Take removes n bytes from Rest and returns them. They are valid until More is called.
func (t *Stream) Take(n int) []byte {
	taken := t.Rest[:n:n]
	t.Rest = t.Rest[n:]
	t.Off += int64(n)
	return taken
}

// Position returns how far the object was consumed, as an offset.
func (t *Stream) Position() int64 {
	if t.inflated != nil {
		return t.raw.position()
	}
	return t.Off
}

// Close ends all reads and waits for them.
func (t *Stream) Close() {
	if t.inflated != nil {
		t.inflated.close()
	}
	t.raw.close()
}

// Text begins a stream of text; it must be called before More. It decompresses data whose first
// bytes show that they are compressed although the name does not say so, drops a byte order mark,
// and refuses data that are not text. A split that does not begin with the object is judged by the
// object's first bytes, too. Text fails with io.EOF if the object is compressed and its records
// belong to another split.
func (t *Stream) Text() error {
	split, opts := t.src.Split, t.src.Options
	if split.Offset > 0 {
		return t.laterText()
	}
	if t.inflated == nil {
		c, err := t.start(split.Input)
		switch {
		case err != nil || opts.Format.AsIs:
			return err
		case c.compression == nil:
			return c.refuse(split.Input, nil, opts.Format)
		case t.src.later != nil:
			t.src.later.hidden = true
			return io.EOF
		}
		t.raw.readAll()
		all := split
		all.Length = all.Size // the plan has cut the object, for its name does not say that it is compressed
		t.inflate(c.compression, all, t.Rest)
	}
	c, err := t.start("")
	if err == nil {
		err = c.refuse(split.Input, t.inflated.codec, opts.Format)
	}
	return err
}

// start finds out what the first bytes are, and drops a byte order mark. Name is the object's, or
// empty after decompression.
func (t *Stream) start(name string) (content, error) {
	for len(t.Rest) < headBytes {
		if err := t.More(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return content{}, err
		}
	}
	if bytes.HasPrefix(t.Rest, byteOrderMark) {
		t.Take(len(byteOrderMark))
		t.End = max(t.End, t.Off+1) // the first line belongs to this split even if the mark itself is cut
		return content{}, nil
	}
	return t.src.Options.Format.sniff(name, t.Rest[:min(len(t.Rest), headBytes)]), nil
}

// laterText is Text for a split that does not begin with the object.
func (t *Stream) laterText() error {
	src := t.src
	if src.begun || !src.Split.looksAtHead(src.Options) {
		return nil
	}
	// A separate source: what is read for all splits of the object counts for none of them.
	object := &source{get: src.get, object: src.object, size: src.size}
	c, err := src.Options.Heads.of(src.ctx, src.object, func(ctx context.Context) (content, error) {
		return object.head(ctx, src.Options.Format)
	})
	switch {
	case err != nil:
		return err
	case c.compression != nil:
		src.hidden = true
		return io.EOF
	}
	return c.refuse(src.object, nil, src.Options.Format)
}
