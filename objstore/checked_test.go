package objstore_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/file"
)

// A checked object returns what was written. If one bit is damaged, or the object is shorter or
// longer, reading it fails with ErrCorrupt.
func TestChecked(t *testing.T) {
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, size := range []int{0, 1, 17, 100, 64<<10 - 1, 64 << 10, 64<<10 + 1, 64<<10 + 17, 200_000} {
		data := bytes.Repeat([]byte("some text\n"), size/10+1)[:size]
		w, err := b.Create(ctx, "written")
		if err != nil {
			t.Fatal(err)
		}
		checked := objstore.NewCheckedWriter(w)
		if _, err := io.Copy(checked, strings.NewReader(string(data))); err != nil {
			t.Fatal(err)
		}
		if _, err := checked.Commit(); err != nil {
			t.Fatal(err)
		}
		whole, err := objstore.ReadAll(ctx, b, "written", 1<<30)
		if err != nil || !bytes.Equal(whole, objstore.Checked(data)) {
			t.Fatalf("%d bytes: the writer and Checked disagree, %v", size, err)
		}
		read := func(object []byte) ([]byte, []byte, error) {
			if _, err := b.Put(ctx, "k", object); err != nil {
				t.Fatal(err)
			}
			got, err := objstore.ReadChecked(ctx, b, "k")
			var copied bytes.Buffer
			if copyErr := objstore.CopyChecked(ctx, &copied, b, "k"); errors.Is(err, objstore.ErrCorrupt) != errors.Is(copyErr, objstore.ErrCorrupt) ||
				(err == nil) != (copyErr == nil) {
				t.Fatalf("%d bytes: read with %v, copied with %v", size, err, copyErr)
			}
			return got, copied.Bytes(), err
		}
		if got, copied, err := read(whole); err != nil || !bytes.Equal(got, data) || !bytes.Equal(copied, data) {
			t.Errorf("%d bytes: %d read, %d copied, %v", size, len(got), len(copied), err)
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/50 {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 4
			for what, object := range map[string][]byte{"damaged": damaged, "cut": whole[:at]} {
				if _, _, err := read(object); !errors.Is(err, objstore.ErrCorrupt) {
					t.Errorf("%d bytes, %s at %d: %v", size, what, at, err)
				}
			}
		}
		if _, _, err := read(append(bytes.Clone(whole), '\n')); !errors.Is(err, objstore.ErrCorrupt) {
			t.Errorf("%d bytes, longer: %v", size, err)
		}
	}
}
