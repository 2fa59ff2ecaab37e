package objstoretest

import (
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

// versions checks that GetVersion reads the wanted version and no other. The driver needs ETags.
func (s *suite) versions(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "object"
	put(t, b, key, "first")
	for listed, err := range b.List(t.Context(), key) {
		if err != nil {
			t.Fatal(err)
		}
		stat, err := b.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if listed.ETag == "" || stat.ETag != listed.ETag {
			t.Fatalf("List gives the ETag %q, Stat %q", listed.ETag, stat.ETag)
		}
		for _, c := range []struct {
			offset, length int64
			want           string
		}{{0, -1, "first"}, {1, 2, "ir"}, {0, 0, ""}, {5, -1, ""}, {5, 3, ""}, {3, 100, "st"}} {
			r, err := b.GetVersion(t.Context(), key, listed.ETag, c.offset, c.length)
			if err != nil {
				t.Fatalf("range %d+%d: %v", c.offset, c.length, err)
			}
			got, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil || string(got) != c.want {
				t.Errorf("range %d+%d gives %q, %v", c.offset, c.length, got, err)
			}
		}
		_, err = b.GetVersion(t.Context(), key, listed.ETag, 6, -1)
		wantError(t, b, key, err, objstore.ErrRange)

		put(t, b, key, "other") // as long as the first
		for _, c := range []struct{ offset, length int64 }{{0, -1}, {1, 2}, {0, 0}, {5, -1}, {5, 3}} {
			_, err := b.GetVersion(t.Context(), key, listed.ETag, c.offset, c.length)
			wantError(t, b, key, err, objstore.ErrChanged)
		}
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		_, err = b.GetVersion(t.Context(), key, listed.ETag, 0, -1)
		wantError(t, b, key, err, objstore.ErrNotFound)
		return
	}
	t.Fatal("the object is not listed")
}

// versionIgnored has a store that ignores If-Match: the ETag of its answer must be compared.
func (f *faultSuite) versionIgnored(t *testing.T) {
	faults, b, prefix := f.bucket(t)
	key := prefix + "key"
	old := put(t, b, key, "first")
	put(t, b, key, "other")
	wantContent(t, b, key, []byte("other"))
	plain := faults.Seen(Read)[0] // its signature is valid for a while
	faults.Inject(Read, attempts, func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		return send(plain.Clone(r.Context()))
	})
	_, err := b.GetVersion(t.Context(), key, old.ETag, 0, -1)
	wantError(t, b, key, err, objstore.ErrChanged)
	if n := len(faults.Seen(Read)); n != 2 {
		t.Errorf("a version that is gone was requested %d times", n-1)
	}
}

// versionBreaks replaces an object whose body breaks: the reader must not continue with the new
// version.
func (f *faultSuite) versionBreaks(t *testing.T) {
	faults, b, prefix := f.bucket(t)
	key := prefix + "key"
	old := put(t, b, key, string(noise(2000)))
	faults.Inject(Method(http.MethodGet), 1, BreakBody(1000, syscall.ECONNRESET))
	r, err := b.GetVersion(t.Context(), key, old.ETag, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	put(t, b, key, string(noise(2001)[1:]))
	_, err = io.Copy(io.Discard, r)
	if !errors.Is(err, objstore.ErrChanged) {
		t.Errorf("the rest of a replaced object gives %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
