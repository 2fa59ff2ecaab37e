package input

import (
	"errors"
	"io"
)

// Members is a Decompressor for objects that are not split and consist of members: those of gzip,
// streams of bzip2, frames of zstd. NULs may follow each member, as tapes and block devices leave
// them; the gzip program accepts these, too. Members refuses any other data between and after
// members.
type Members struct {
	// In is what is decompressed, by What.
	In   *Compressed
	What Compression

	// Begin begins the member at In's next byte, and returns a reader of its contents, which ends
	// with io.EOF; or nil if no member begins there. Head is In's next bytes, 10 unless In ends
	// before.
	Begin func(head []byte) (io.Reader, error)

	// Free frees memory. It may be nil.
	Free func()

	member  io.Reader // nil between two members
	started bool      // the first member has begun
}

// ErrCut is the error of data that end too early.
var ErrCut error = failure{io.ErrUnexpectedEOF}

// Read implements io.Reader.
func (m *Members) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil {
		if m.member == nil {
			if err := m.next(); err != nil {
				return 0, err
			}
			continue
		}
		n, err = m.member.Read(p)
		if err == io.EOF { // errors that wrap it count as failures
			m.member, err = nil, nil
		}
	}
	return n, err
}

// next begins the next member, or skips NULs. It fails with io.EOF after the last member.
func (m *Members) next() error {
	const longestMark = 10 // of bzip2
	head, err := m.In.Peek(longestMark)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case len(head) == 0:
		return io.EOF
	case head[0] == 0 && m.started:
		return m.skipNULs()
	}
	at := m.In.Offset()
	member, err := m.Begin(head)
	switch {
	case err == io.EOF:
		return ErrCut
	case err != nil:
		return err
	case member == nil:
		return m.In.Trailing(m.What, at)
	}
	m.member, m.started = member, true
	return nil
}

// skipNULs skips the NULs that In has buffered. There must be at least one.
func (m *Members) skipNULs() error {
	data, err := m.In.Peek(m.In.Buffered())
	if err != nil {
		return err
	}
	n := 0
	for n < len(data) && data[n] == 0 {
		n++
	}
	_, err = m.In.Discard(n)
	return err
}

// Start implements Decompressor.
func (m *Members) Start() int64 { return 0 }

// Close implements Decompressor.
func (m *Members) Close() {
	if m.Free != nil {
		m.Free()
	}
}
