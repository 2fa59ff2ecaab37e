package input

import (
	"errors"
	"io"
)

// Members is a Decompressor of objects that are not split and consist of members: gzip's, bzip2's streams, zstd's frames,
// one after the other. NULs may lie between them and after the last, as tapes and block devices leave them; gzip takes
// these, too. Anything else that follows is refused.
type Members struct {
	// In is what is decompressed, by What.
	In   *Compressed
	What Compression

	// Begin begins the member at In's next byte, and returns a reader of what it holds, which ends with io.EOF; or nil if
	// there is none. Head is In's next bytes, 10 unless it ends before.
	Begin func(head []byte) (io.Reader, error)

	// Free frees memory; nil: there is nothing to free.
	Free func()

	member  io.Reader // that is being read; nil between two of them
	started bool      // a member was
}

// ErrCut is what data that end too early are.
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
		if err == io.EOF { // and not one that wraps it
			m.member, err = nil, nil
		}
	}
	return n, err
}

// next begins the next member, or passes over something that is none. It fails with io.EOF after the last.
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

// skipNULs passes over the NULs that In has at hand, of which there is one at least.
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
