package objstore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// A checked object ends in a line with the CRC-32C of everything before the line. Stores and disks
// damage objects and cut them short; the line lets a reader notice. It is text, so that checked
// text stays readable.
const (
	checkLine    = "crc32c %08x\n"
	checkLineLen = len("crc32c ") + 2*crc32.Size + len("\n")
)

// Checked returns data with its check line: the content of an object that ReadChecked and
// CopyChecked can read.
func Checked(data []byte) []byte {
	return fmt.Appendf(bytes.Clone(data), checkLine, crc32.Checksum(data, castagnoli))
}

// CheckedWriter writes a checked object. It must be committed, not sealed: only Commit adds the
// check line.
type CheckedWriter struct {
	Writer
	sum hash.Hash32
}

// NewCheckedWriter returns a writer on w that adds the check line when it is committed.
func NewCheckedWriter(w Writer) *CheckedWriter {
	return &CheckedWriter{Writer: w, sum: crc32.New(castagnoli)}
}

func (w *CheckedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.sum.Write(p[:n])
	return n, err
}

// Commit adds the check line and makes the object visible.
func (w *CheckedWriter) Commit() (Object, error) {
	if _, err := fmt.Fprintf(w.Writer, checkLine, w.sum.Sum32()); err != nil {
		return Object{}, errors.Join(err, w.Abort())
	}
	return w.Writer.Commit()
}

// ReadChecked returns the content of a small checked object, without its check line. It fails with
// ErrCorrupt if every one of several reads shows a wrong checksum.
func ReadChecked(ctx context.Context, b Bucket, key string) ([]byte, error) {
	for range checkedReads {
		data, err := ReadAll(ctx, b, key, maxPayload)
		if err != nil {
			return nil, err
		}
		end := len(data) - checkLineLen
		if end >= 0 && string(data[end:]) == fmt.Sprintf(checkLine, crc32.Checksum(data[:end], castagnoli)) {
			return data[:end], nil
		}
	}
	return nil, corrupt(b, key)
}

func corrupt(b Bucket, key string) error {
	return fmt.Errorf("read %s/%s: %w: checksum mismatch (read %d times)", b.URL(), key, ErrCorrupt, checkedReads)
}

// CopyChecked writes the content of a checked object, without its check line, to w. It fails with
// ErrCorrupt if the checksum is wrong; the caller must then discard what w received.
func CopyChecked(ctx context.Context, w io.Writer, b Bucket, key string) (err error) {
	body, err := b.Get(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	const block = 64 << 10
	r, sum := bufio.NewReaderSize(body, block+checkLineLen), crc32.New(castagnoli)
	for {
		// The last bytes of what was read ahead may be the check line, so they are not copied yet.
		ahead, err := r.Peek(block + checkLineLen)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		data := ahead[:max(0, len(ahead)-checkLineLen)]
		sum.Write(data)
		if _, err := w.Write(data); err != nil {
			return err
		}
		if err != nil {
			if string(ahead[len(data):]) != fmt.Sprintf(checkLine, sum.Sum32()) {
				return fmt.Errorf("read %s/%s: %w: checksum mismatch", b.URL(), key, ErrCorrupt)
			}
			return nil
		}
		if _, err := r.Discard(len(data)); err != nil {
			return err
		}
	}
}
