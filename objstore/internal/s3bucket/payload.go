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

// Payload is the body of a request, in memory.
type Payload struct {
	Size   int64  // bytes
	CRC32C string // base64 of the checksum, big-endian, as S3 writes it

	data   []byte
	onRead func(atEnd bool)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newPayload(data []byte) *Payload {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, castagnoli))
	return &Payload{Size: int64(len(data)), CRC32C: base64.StdEncoding.EncodeToString(sum), data: data}
}

// SHA256 returns the checksum of the body, in hex.
func (p *Payload) SHA256() string {
	sum := sha256.Sum256(p.data)
	return hex.EncodeToString(sum[:])
}

// watched returns the payload for one attempt. It sets w to idle after each block that is read, and
// to answer after the last.
func (p *Payload) watched(w *watchdog, idle, answer time.Duration) *Payload {
	attempt := *p
	attempt.onRead = func(atEnd bool) {
		if atEnd {
			w.feed(answer)
		} else {
			w.feed(idle)
		}
	}
	return &attempt
}

// Body returns a reader of the payload, from its beginning.
func (p *Payload) Body() io.ReadSeeker {
	return &body{reader: bytes.NewReader(p.data), onRead: p.onRead}
}

// body hides the other methods of bytes.Reader, which would bypass Read.
type body struct {
	reader *bytes.Reader
	onRead func(atEnd bool)
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.reader.Read(p)
	b.onRead(b.reader.Len() == 0)
	return n, err
}

func (b *body) Seek(offset int64, whence int) (int64, error) { return b.reader.Seek(offset, whence) }
