package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// members reads what src holds compressed: gzip members, bzip2 streams or zstd frames, one after the
// other. NULs may lie between them and after the last, as tapes and block devices leave them; gzip
// takes these, too. Anything else that follows is a [trailingError].
type members struct {
	src       *bufio.Reader
	offset    func() int64 // of src's next byte in the object
	codec     Compression
	size      int64     // of the object, in bytes
	maxWindow int64     // bytes
	dec       io.Reader // of the member that is being read; nil between two of them
	started   bool      // a member was
	gzip      *gzip.Reader
	zstd      *zstd.Decoder
	frame     *zstdFrame // that zstd decompresses
}

// trailingError says that what follows the compressed data is not compressed.
type trailingError struct{ at int64 } // the byte in the object

func (e *trailingError) Error() string {
	return fmt.Sprintf("data after the end of the compressed data, at byte %d", e.at)
}

// errCut is what data that end too early are.
var errCut = failure{io.ErrUnexpectedEOF}

// Read implements io.Reader.
func (m *members) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil {
		if m.dec == nil {
			if err := m.next(); err != nil {
				return 0, err
			}
			continue
		}
		n, err = m.dec.Read(p)
		if m.frame != nil {
			m.frame.out += int64(n)
		}
		switch {
		case err == io.EOF: // and not one that wraps it
			m.dec, err = nil, nil
		case err != nil && m.frame != nil:
			err = m.frame.failed(err)
		}
	}
	return n, err
}

// next begins the next member, or passes over something that is none. It fails with io.EOF after the last.
func (m *members) next() error {
	const longestMark = 10 // of bzip2
	head, err := m.src.Peek(longestMark)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case len(head) == 0:
		return io.EOF
	case head[0] == 0 && m.started:
		return m.skipNULs()
	case m.codec == Zstd && skippable(head):
		m.started = true
		return m.skipFrame()
	case !m.codec.matches(head):
		return &trailingError{m.offset()}
	}
	m.started = true
	if err = m.begin(); err == io.EOF {
		return errCut
	}
	return err
}

// begin begins the member at the start of src.
func (m *members) begin() (err error) {
	switch m.codec {
	case Gzip:
		if m.gzip == nil {
			m.gzip, err = gzip.NewReader(m.src)
		} else {
			err = m.gzip.Reset(m.src)
		}
		if err != nil {
			return err
		}
		m.gzip.Multistream(false)
		m.dec = m.gzip
	case Bzip2:
		m.dec = newBzipStreams(m)
	case Zstd:
		m.frame, err = newZstdFrame(m.src, m.size-m.offset(), m.maxWindow)
		if err != nil {
			return err
		}
		return m.beginFrame()
	}
	return nil
}

func (m *members) beginFrame() (err error) {
	if m.zstd == nil {
		m.zstd, err = zstd.NewReader(m.frame,
			zstd.WithDecoderConcurrency(1), // in the caller's goroutine
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(uint64(max(m.maxWindow, zstd.MinWindowSize))))
	} else {
		err = m.zstd.Reset(m.frame)
	}
	m.dec = m.zstd
	return err
}

// skipNULs passes over the NULs that src has at hand, of which there is one at least.
func (m *members) skipNULs() error {
	data, err := m.src.Peek(m.src.Buffered())
	if err != nil {
		return err
	}
	n := 0
	for n < len(data) && data[n] == 0 {
		n++
	}
	_, err = m.src.Discard(n)
	return err
}

// skipFrame passes over a frame that holds nothing to decompress.
func (m *members) skipFrame() error {
	var h zstd.Header
	head, err := m.src.Peek(8)
	if err == nil {
		err = h.Decode(head)
	}
	if err != nil {
		return err
	}
	left := int64(h.HeaderSize) + int64(h.SkippableSize)
	for left > 0 {
		n, err := m.src.Discard(int(min(left, 1<<20)))
		left -= int64(n)
		if err == io.EOF {
			return errCut
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// close frees memory.
func (m *members) close() {
	if m.zstd != nil {
		m.zstd.Close()
	}
}
