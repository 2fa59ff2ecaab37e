package input

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

// The header that a later split of a CSV file has read stays what it is when others get the buffer
// that it was read into.
func TestFirstLineOutlivesItsBuffer(t *testing.T) {
	text := []byte("name,count\n" + strings.Repeat("a,1\n", 1<<18))
	s := Split{Input: "s3://b/in.csv", Size: int64(len(text)), Offset: 1 << 19, Length: 1 << 10}
	format, err := ParseFormat("csv")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), s, Options{Format: format}, func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text[offset:min(offset+length, int64(len(text)))])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 8 { // it takes one of these
		large := make([]byte, 1<<20)
		buffers.Put(&large)
	}
	line, _, err := r.firstLine()
	if err != nil {
		t.Fatal(err)
	}
	for buf, ok := buffers.Get().(*[]byte); ok; buf, ok = buffers.Get().(*[]byte) {
		clear((*buf)[:cap(*buf)])
	}
	if got := strings.TrimSpace(string(line)); got != "name,count" {
		t.Errorf("the first line became %q", got)
	}
}
