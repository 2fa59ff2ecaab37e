package input_test

import (
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

// The header that a later split of a CSV object has read survives when other readers get the buffer
// into which it was read.
func TestFirstLineOutlivesItsBuffer(t *testing.T) {
	o := newObject([]byte("name,count\n" + strings.Repeat("a,1\n", 1<<18)))
	s := whole("in.csv", o)
	s.Offset, s.Length = 1<<19, 1<<10
	r, err := input.Open(t.Context(), s, input.Options{Format: asCSV}, o.get)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 8 { // one of these is for the header
		large := make([]byte, 1<<20)
		input.Buffers().Put(&large)
	}
	b, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	for buf, ok := input.Buffers().Get().(*[]byte); ok; buf, ok = input.Buffers().Get().(*[]byte) {
		clear((*buf)[:cap(*buf)])
	}
	if got := string(b.Header); got != "name,count" {
		t.Errorf("the first line became %q", got)
	}
}
