package frames

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ProtocolVersion is the first byte of a HELLO and of a READY. Both sides must agree on it.
const ProtocolVersion = 1

// MaxFrameLen is the longest payload of a frame, in bytes.
const MaxLen = 1 << 30

// Type is the first byte of a frame. FRAMES.md tells who sends which, and when.
type Type byte

const (
	TypeHello   Type = iota + 1 // host: version byte, then a Hello as JSON
	TypeReady                   // guest: version byte, then a Ready as JSON
	TypeBatch                   // host, map side: a batch of input records
	TypeRecords                 // both: a block of encoded records
	TypeEnd                     // host: no more input; empty
	TypeDone                    // guest: no more output; a Done as JSON
	TypeError                   // guest: a Failure as JSON; the guest then ends
	TypePairs                   // guest, map side, Python runner only: pickled pairs
	TypeGroups                  // host, reduce side, Python runner only: marshalled keys with their values
	TypeRun                     // likewise: a key with some of its values
	TypeTook                    // guest, map side, Python runner only: how many bytes of the batches it has mapped, a uvarint
)

// String returns the type's name as FRAMES.md has it.
func (t Type) String() string {
	names := [...]string{"", "HELLO", "READY", "BATCH", "RECORDS", "END", "DONE", "ERROR", "PAIRS", "GROUPS", "RUN", "TOOK"}
	if t == 0 || int(t) >= len(names) {
		return fmt.Sprintf("frame type %d", byte(t))
	}
	return names[t]
}

// ErrMalformed says that the other side does not keep to the protocol.
var ErrMalformed = errors.New("malformed frame")

const headLen = 5

// A Reader reads frames. It belongs to one goroutine.
type Reader struct {
	r    io.Reader
	head [headLen]byte
}

// NewReader returns a reader of the frames in r, which need not be buffered: a frame
// takes two reads.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next reads one frame. The payload is read into buf when it fits there. Next returns io.EOF
// between frames, io.ErrUnexpectedEOF within one, and ErrFrame for a type or a length that
// the protocol does not have.
func (f *Reader) Next(buf []byte) (Type, []byte, error) {
	if _, err := io.ReadFull(f.r, f.head[:]); err != nil {
		if err == io.ErrUnexpectedEOF {
			return 0, nil, fmt.Errorf("frame header: %w", err)
		}
		return 0, nil, err
	}
	t, length := Type(f.head[0]), binary.BigEndian.Uint32(f.head[1:])
	if t < TypeHello || t > TypeTook {
		return 0, nil, fmt.Errorf("%w: unknown type %d", ErrMalformed, byte(t))
	}
	if length > MaxLen {
		return 0, nil, fmt.Errorf("%w: %v of %d bytes, the most is %d", ErrMalformed, t, length, MaxLen)
	}
	payload, err := readPayload(f.r, buf[:0], int(length))
	if err != nil {
		return 0, nil, fmt.Errorf("%v of %d bytes: %w", t, length, err)
	}
	return t, payload, nil
}

// firstRead bounds what a length is trusted with before any of the bytes have come.
const firstRead = 4 << 20

func readPayload(r io.Reader, buf []byte, length int) ([]byte, error) {
	for len(buf) < length {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(length, max(firstRead, 2*len(buf))))
			copy(grown, buf)
			buf = grown
		}
		at := len(buf)
		buf = buf[:min(cap(buf), length)]
		if _, err := io.ReadFull(r, buf[at:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return buf, nil
}

// A Writer writes frames. It belongs to one goroutine.
type Writer struct {
	w *bufio.Writer
}

// NewWriter returns a writer of frames to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: bufio.NewWriterSize(w, 64<<10)}
}

// Write writes one frame, whose payload is the parts one after the other, and passes it on
// to the other side at once.
func (f *Writer) Write(t Type, parts ...[]byte) error {
	length := 0
	for _, p := range parts {
		length += len(p)
	}
	if length > MaxLen {
		return fmt.Errorf("%w: %v of %d bytes, the most is %d", ErrMalformed, t, length, MaxLen)
	}
	var head [headLen]byte
	head[0] = byte(t)
	binary.BigEndian.PutUint32(head[1:], uint32(length))
	if _, err := f.w.Write(head[:]); err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := f.w.Write(p); err != nil {
			return err
		}
	}
	return f.w.Flush()
}
