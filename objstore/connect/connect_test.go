package connect_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/test/testservices"
)

func stores(t *testing.T, c connect.Config) *connect.Stores {
	t.Helper()
	s, err := connect.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpen(t *testing.T) {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, driver := range []connect.Driver{"", connect.DriverMinio, connect.DriverS3} {
		// Nothing listens at this endpoint: Open sends no request.
		s := stores(t, connect.Config{S3Driver: driver, S3Endpoint: "http://127.0.0.1:1"})
		for _, c := range []struct{ url, bucket, key string }{
			{"s3://logs/2026/*.gz", "s3://logs", "2026/*.gz"},
			{"s3://logs", "s3://logs", ""},
			{"file:///data/in/", "file://", "data/in/"},
			{"/data/in", "file://", "data/in"},
			{"in/*.txt", "file://", strings.TrimPrefix(filepath.Join(folder, "in/*.txt"), "/")},
		} {
			b, key, err := s.Open(t.Context(), c.url)
			if err != nil {
				t.Errorf("%s: %v", c.url, err)
				continue
			}
			if b.URL() != c.bucket || key != c.key {
				t.Errorf("%s opens %s, key %q", c.url, b.URL(), key)
			}
			again, _, err := s.Open(t.Context(), c.url)
			if err != nil || again != b {
				t.Errorf("%s opens another bucket the second time, %v", c.url, err)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	if _, err := connect.New(connect.Config{S3Driver: "ftp"}); !errors.Is(err, objstore.ErrInvalid) {
		t.Errorf("driver: %v", err)
	}
	s := stores(t, connect.Config{})
	for _, url := range []string{"", "ftp://x/y", "s3:///key", "s3://UPPER/key", "file://relative", "s3://b/../c"} {
		if _, _, err := s.Open(t.Context(), url); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("%q: %v", url, err)
		}
	}
	s = stores(t, connect.Config{S3Endpoint: "127.0.0.1:9000"})
	if _, _, err := s.Open(t.Context(), "s3://bucket/key"); !errors.Is(err, objstore.ErrInvalid) {
		t.Errorf("endpoint: %v", err)
	}
}

func TestEnsureBucket(t *testing.T) {
	server := testservices.MinIO(t)
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	for _, driver := range []connect.Driver{connect.DriverMinio, connect.DriverS3} {
		s := stores(t, connect.Config{S3Driver: driver, S3Endpoint: server.Endpoint})
		url := "s3://ensured-by-" + string(driver) + "/some/key"
		b, key, err := s.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Put(t.Context(), key, nil); !errors.Is(err, objstore.ErrNotFound) {
			t.Errorf("before: %v", err)
		}
		for range 2 {
			if err := s.EnsureBucket(t.Context(), url); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Put(t.Context(), key, nil); err != nil {
			t.Errorf("after: %v", err)
		}
		names, err := s.Buckets(t.Context())
		if err != nil || !slices.Contains(names, "ensured-by-"+string(driver)) {
			t.Errorf("the buckets are %q, %v", names, err)
		}
	}
	if err := stores(t, connect.Config{}).EnsureBucket(t.Context(), "file://"+t.TempDir()+"/x"); err != nil {
		t.Errorf("of a folder: %v", err)
	}
}

func TestWrongCredentials(t *testing.T) {
	server := testservices.MinIO(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "nothing at all")
	for _, driver := range []connect.Driver{connect.DriverMinio, connect.DriverS3} {
		b, key, err := stores(t, connect.Config{S3Driver: driver, S3Endpoint: server.Endpoint}).Open(t.Context(), "s3://bucket/key")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Get(t.Context(), key, 0, -1); !errors.Is(err, objstore.ErrDenied) {
			t.Errorf("%s: %v", driver, err)
		}
	}
}

// TestStats checks that a folder counts what a bucket on S3 counts.
func TestStats(t *testing.T) {
	server := testservices.MinIO(t)
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	bucket := "s3://" + server.Bucket(t)
	folder := t.TempDir()
	var counts [2]objstore.Stats
	for i, place := range []string{bucket + "/in", folder} {
		s := stores(t, connect.Config{S3Endpoint: server.Endpoint})
		use(t, s, place)
		counts[i] = s.Stats()
		counts[i].BytesWritten = 0 // on S3 some bodies contain lists of keys and parts instead
	}
	if counts[0] != counts[1] {
		t.Errorf("the same calls are\n%+v on S3,\n%+v on a folder", counts[0], counts[1])
	}
	if c := counts[0]; c.Gets != 2 || c.Heads != 4 || c.Puts != 12 || c.Lists != 3 || c.Deletes != 2 || c.BytesRead != 3+9<<20 {
		t.Errorf("%+v", c)
	}
}

// use calls each method of the bucket of a place.
func use(t *testing.T, s *connect.Stores, place string) {
	b, prefix, err := s.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	check := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(b.Put(t.Context(), prefix+"/a", []byte("abc")))
	check(b.PutIfAbsent(t.Context(), prefix+"/b", nil))
	for i, size := range []int{0, 1, 9 << 20} { // 1 + 2 + 4 requests, and one to complete the second
		w, err := b.Create(t.Context(), fmt.Sprintf("%s/w%d", prefix, i))
		check(nil, err)
		check(w.Write(make([]byte, size)))
		if i != 1 {
			check(w.Commit())
			continue
		}
		u, err := w.Seal()
		check(nil, err)
		check(b.Complete(t.Context(), u))
	}
	w, err := b.Create(t.Context(), prefix+"/w3")
	check(nil, err)
	check(w.Write([]byte("x")))
	u, err := w.Seal()
	check(nil, err)
	check(nil, b.Abort(t.Context(), u))
	check(b.Stat(t.Context(), prefix+"/a"))
	if _, err := b.Stat(t.Context(), prefix+"/missing"); !errors.Is(err, objstore.ErrNotFound) {
		t.Error(err)
	}
	for _, key := range []string{"/a", "/w2"} {
		check(objstore.ReadAll(t.Context(), b, prefix+key, 1<<30))
	}
	for _, err := range b.List(t.Context(), prefix+"/") {
		check(nil, err)
	}
	for _, err := range b.Uploads(t.Context(), prefix+"/w1") {
		check(nil, err)
	}
	check(nil, b.Delete(t.Context(), prefix+"/a", prefix+"/b", prefix+"/missing"))
}
