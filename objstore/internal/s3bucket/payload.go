package s3bucket

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"time"
)

// Payload is a request's body, in memory.
type Payload struct {
	Size   int64  // bytes
	CRC32C string // base64 of the checksum, big-endian, as S3 writes it

	data []byte
	sent func(atEnd bool)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newPayload(data []byte) *Payload {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, castagnoli))
	return &Payload{Size: int64(len(data)), CRC32C: base64.StdEncoding.EncodeToString(sum), data: data}
}

// SHA256 is the checksum of the body, in hex.
func (p *Payload) SHA256() string {
	sum := sha256.Sum256(p.data)
	return hex.EncodeToString(sum[:])
}

// watched is the payload for one attempt: it feeds w idle for every block that is taken, and
// answer once all are.
func (p *Payload) watched(w *watch, idle, answer time.Duration) *Payload {
	attempt := *p
	attempt.sent = func(atEnd bool) {
		if atEnd {
			w.feed(answer)
		} else {
			w.feed(idle)
		}
	}
	return &attempt
}

// Body reads the payload from its beginning.
func (p *Payload) Body() io.ReadSeeker {
	return &body{reader: bytes.NewReader(p.data), sent: p.sent}
}

// body hides the other methods of bytes.Reader, which would pass by Read.
type body struct {
	reader *bytes.Reader
	sent   func(atEnd bool)
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.reader.Read(p)
	b.sent(b.reader.Len() == 0)
	return n, err
}

func (b *body) Seek(offset int64, whence int) (int64, error) { return b.reader.Seek(offset, whence) }
