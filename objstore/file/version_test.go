package file_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/file"
)

// A file that is overwritten in place while it is open is another version at the next read, even if
// its size stays the same.
func TestVersionOfOpenFile(t *testing.T) {
	dir := t.TempDir()
	b, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	planned, err := b.Put(t.Context(), "log", []byte("abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.GetVersion(t.Context(), "log", planned.ETag, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("DEF"), 3); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if !errors.Is(err, objstore.ErrChanged) || len(rest) != 0 {
		t.Errorf("the rest is %q, %v", rest, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.GetVersion(t.Context(), "log", planned.ETag, 0, -1); !errors.Is(err, objstore.ErrChanged) {
		t.Errorf("another range gives %v", err)
	}
}
