package objstoretest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func (s *suite) url(t *testing.T) {
	b, prefix := s.bucket(t)
	if strings.HasSuffix(b.URL(), "/") && b.URL() != "file://" {
		t.Errorf("the URL %q has a trailing slash", b.URL())
	}
	u, err := objstore.ParseURL(b.URL() + "/" + prefix + "x")
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme == "s3" && (u.BucketURL() != b.URL() || u.Key != prefix+"x") {
		t.Errorf("URL() + key parses as %+v", u)
	}
}

func (s *suite) ranges(t *testing.T) {
	b, prefix := s.bucket(t)
	key, data := prefix+"data", string(noise(1000))
	put(t, b, key, data)
	for _, c := range []struct {
		name           string
		offset, length int64
		want           string
	}{
		{"all", 0, -1, data},
		{"all, by length", 0, 1000, data},
		{"first byte", 0, 1, data[:1]},
		{"last byte", 999, 1, data[999:]},
		{"last byte, to the end", 999, -1, data[999:]},
		{"middle", 300, 400, data[300:700]},
		{"to the end", 300, -1, data[300:]},
		{"across the end", 900, 500, data[900:]},
		{"far across the end", 0, 1 << 40, data},
		{"at the end", 1000, -1, ""},
		{"at the end, some", 1000, 10, ""},
		{"none", 0, 0, ""},
		{"none in the middle", 500, 0, ""},
		{"none past the end", 5000, 0, ""},
	} {
		got, err := read(t, b, key, c.offset, c.length)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if string(got) != c.want {
			t.Errorf("%s: got %d bytes, want %d", c.name, len(got), len(c.want))
		}
	}
	for _, length := range []int64{-1, 1, 1000} {
		_, err := b.Get(t.Context(), key, 1001, length)
		wantError(t, b, key, err, objstore.ErrRange)
	}
}

func (s *suite) rangesOfEmpty(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "empty"
	put(t, b, key, "")
	for _, length := range []int64{-1, 0, 1, 10} {
		got, err := read(t, b, key, 0, length)
		if err != nil || len(got) != 0 {
			t.Errorf("length %d: %q, %v", length, got, err)
		}
	}
	_, err := b.Get(t.Context(), key, 1, -1)
	wantError(t, b, key, err, objstore.ErrRange)
}

// concurrentReaders reads one object in many goroutines, in pieces of odd sizes.
func (s *suite) concurrentReaders(t *testing.T) {
	b, prefix := s.bucket(t)
	key, data := prefix+"data", noise(1<<20)
	put(t, b, key, string(data))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			offset := int64(i * 1000)
			r, err := b.Get(t.Context(), key, offset, -1)
			if err != nil {
				t.Error(err)
				return
			}
			var got bytes.Buffer
			_, err = io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{r}, make([]byte, 1000+i))
			if err = errors.Join(err, r.Close()); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(got.Bytes(), data[offset:]) {
				t.Errorf("at offset %d: %d bytes that differ", offset, got.Len())
			}
		})
	}
	wg.Wait()
}

func (s *suite) stat(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "data"
	written := put(t, b, key, "hello")
	o, err := b.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if o.Key != key || o.Size != 5 {
		t.Errorf("Stat gives %+v", o)
	}
	if o.ETag != written.ETag {
		t.Errorf("Stat's ETag is %q, Put's %q", o.ETag, written.ETag)
	}
	for listed, err := range b.List(t.Context(), key) {
		if err != nil {
			t.Fatal(err)
		}
		if listed.Key != key || listed.Size != 5 || listed.ETag != o.ETag {
			t.Errorf("List gives %+v, Stat %+v", listed, o)
		}
	}
	put(t, b, key, "HELLO")
	again, err := b.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if o.ETag != "" && again.ETag == o.ETag {
		t.Errorf("the ETag stays %q for another content", o.ETag)
	}
}

func (s *suite) notFound(t *testing.T) {
	b, prefix := s.bucket(t)
	put(t, b, prefix+"folder/object", "x")
	for _, key := range []string{prefix + "missing", prefix + "no/such/folder", prefix + "folder", prefix + "folder/object/below"} {
		for _, r := range []struct{ offset, length int64 }{{0, -1}, {0, 0}, {5, 10}} {
			_, err := b.Get(t.Context(), key, r.offset, r.length)
			wantError(t, b, key, err, objstore.ErrNotFound)
		}
		_, err := b.Stat(t.Context(), key)
		wantError(t, b, key, err, objstore.ErrNotFound)
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete of %s: %v", key, err)
		}
	}
	wantContent(t, b, prefix+"folder/object", []byte("x"))
	if keys := list(t, b, prefix+"nothing/"); keys != nil {
		t.Errorf("List of nothing gives %q", keys)
	}
	if uploads := uploadsOf(t, b, prefix+"nothing/"); uploads != nil {
		t.Errorf("Uploads of nothing gives %v", uploads)
	}
	u := seal(t, b, prefix+"upload", []byte("x"))
	if err := b.Abort(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	_, err := b.Complete(t.Context(), u)
	wantError(t, b, u.Key, err, objstore.ErrNotFound)
	if err := b.Abort(t.Context(), u); err != nil {
		t.Errorf("Abort of nothing: %v", err)
	}
}

func (s *suite) invalid(t *testing.T) {
	b, prefix := s.bucket(t)
	ctx := t.Context()
	key := prefix + "key"
	put(t, b, key, "x")
	_, err := b.Get(ctx, key, -1, 1)
	wantError(t, b, key, err, objstore.ErrInvalid)
	_, err = b.Get(ctx, key, 0, -2)
	wantError(t, b, key, err, objstore.ErrInvalid)
	_, err = b.Complete(ctx, objstore.Upload{Key: key})
	wantError(t, b, key, err, objstore.ErrInvalid)
	wantError(t, b, key, b.Abort(ctx, objstore.Upload{Key: key}), objstore.ErrInvalid)
	_, err = b.Get(ctx, "", 0, -1)
	wantError(t, b, "", err, objstore.ErrInvalid)
	_, err = b.Stat(ctx, "")
	wantError(t, b, "", err, objstore.ErrInvalid)
	// Other programs may write keys that begin with a slash; Bucketmill writes none.
	for _, key := range []string{"", "/rooted"} {
		_, err = b.Put(ctx, key, nil)
		wantError(t, b, key, err, objstore.ErrInvalid)
		_, err = b.PutIfAbsent(ctx, key, nil)
		wantError(t, b, key, err, objstore.ErrInvalid)
		_, err = b.Create(ctx, key)
		wantError(t, b, key, err, objstore.ErrInvalid)
		wantError(t, b, key, b.Delete(ctx, key), objstore.ErrInvalid)
	}
}
