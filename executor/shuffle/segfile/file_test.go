package segfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

var testIdentity = Identity{Job: "job-7", Task: 12, Attempt: 3}

// newFile returns a Writer of a file in memory.
func newFile(partitions, blockSize int) (*Writer, *bytes.Buffer) {
	var file bytes.Buffer
	return NewWriter(&file, Layout{Identity: testIdentity, Partitions: partitions, BlockSize: blockSize, Buffer: 1 << 10}), &file
}

// smallFile has three partitions, the second of them empty, of several blocks each.
func smallFile(t testing.TB) ([]byte, Manifest) {
	t.Helper()
	w, file := newFile(3, 64)
	for _, partition := range []int{0, 2} {
		w.Begin(partition)
		for block := range 4 {
			var raw []byte
			for i := range 5 {
				raw = record.Append(raw, fmt.Appendf(nil, "key%d-%d-%d", partition, block, i), []byte("value"))
			}
			if err := w.Add(raw, 5); err != nil {
				t.Fatal(err)
			}
		}
		w.End()
	}
	m, err := w.Finish([]byte("note"))
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), m
}

// object makes b a file in a store.
func object(b []byte) Object {
	return Object{Name: "file", Size: int64(len(b)), Open: openBytes(b)}
}

// openBytes opens ranges of b; a range past the end is cut short, as stores do.
func openBytes(b []byte) OpenFunc {
	return func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		offset = min(offset, int64(len(b)))
		return io.NopCloser(bytes.NewReader(b[offset:min(offset+length, int64(len(b)))])), nil
	}
}

func randomBytes(r *rand.Rand, n, alphabet int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(alphabet))
	}
	return string(b)
}
