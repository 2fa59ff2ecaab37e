package minio_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

// TestParts uploads an object in parts that grow, and in equal parts, and reads it.
func TestParts(t *testing.T) {
	for name, parts := range map[string]objstore.PartSizes{
		"growing": {Least: objstore.MinPartSize, Most: 7 << 20},
		"equal":   {Least: objstore.MinPartSize, Most: 7 << 20, Equal: true},
	} {
		t.Run(name, func(t *testing.T) { testParts(t, parts) })
	}
}

func testParts(t *testing.T, parts objstore.PartSizes) {
	t.Helper()
	d := driver(t)
	d.Store.Parts = parts
	b, err := open(t.Context(), d.Bucket, d.Store)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 50<<20+12345)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data) // it never fails
	for range 2 {                                  // the second time with reused buffers
		w, err := b.Create(t.Context(), "large")
		if err != nil {
			t.Fatal(err)
		}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 777_777)
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		upload, err := w.Seal()
		if err != nil {
			t.Fatal(err)
		}
		var begun int64
		for _, p := range upload.Parts {
			if want := min(parts.After(begun), int64(len(data))-begun); p.Size != want {
				t.Errorf("part %d has %d bytes, not %d", p.Number, p.Size, want)
			}
			begun += p.Size
		}
		if begun != int64(len(data)) || int64(len(upload.Parts)) != parts.Count(begun) || upload.Parts[len(upload.Parts)-2].Size != parts.Most {
			t.Errorf("parts are %+v", upload.Parts)
		}
		if _, err := b.Complete(t.Context(), upload); err != nil {
			t.Fatal(err)
		}
		if got, err := objstore.ReadAll(t.Context(), b, "large", 1<<40); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	}
}
