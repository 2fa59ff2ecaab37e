package objstoretest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

func put(t *testing.T, b objstore.Bucket, key, data string) objstore.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// read returns a range, or the error of Get. Any later error fails the test.
func read(t *testing.T, b objstore.Bucket, key string, offset, length int64) ([]byte, error) {
	t.Helper()
	r, err := b.Get(t.Context(), key, offset, length)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatalf("read after Get: %v", err)
	}
	return data, nil
}

func wantContent(t *testing.T, b objstore.Bucket, key string, want []byte) {
	t.Helper()
	got, err := read(t, b, key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s contains %s, not %s", key, brief(got), brief(want))
	}
}

func brief(data []byte) string {
	if len(data) > 60 {
		data = data[:60]
	}
	return string(data)
}

// wantError also checks that the error names the object.
func wantError(t *testing.T, b objstore.Bucket, key string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, not %v", err, want)
	}
	if url := b.URL() + "/" + key; !strings.Contains(err.Error(), url) {
		t.Fatalf("error %q does not name %s", err, url)
	}
}

func wantAbsent(t *testing.T, b objstore.Bucket, key string) {
	t.Helper()
	_, err := b.Stat(t.Context(), key)
	wantError(t, b, key, err, objstore.ErrNotFound)
	_, err = read(t, b, key, 0, -1)
	wantError(t, b, key, err, objstore.ErrNotFound)
	if keys := list(t, b, key); len(keys) != 0 {
		t.Fatalf("%s is listed: %q", key, keys)
	}
}

func list(t *testing.T, b objstore.Bucket, prefix string) (keys []string) {
	t.Helper()
	for o, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

func uploadsOf(t *testing.T, b objstore.Bucket, prefix string) (uploads []objstore.Upload) {
	t.Helper()
	for u, err := range b.Uploads(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		uploads = append(uploads, u)
	}
	return uploads
}

func create(t *testing.T, b objstore.Bucket, key string, data []byte) objstore.Writer {
	t.Helper()
	w, err := b.Create(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write(data); err != nil || n != len(data) {
		t.Fatalf("Write of %d bytes gives %d, %v", len(data), n, err)
	}
	return w
}

// seal returns the handle after a trip through JSON, as another process gets it.
func seal(t *testing.T, b objstore.Bucket, key string, data []byte) objstore.Upload {
	t.Helper()
	sealed, err := create(t, b, key, data).Seal()
	if err != nil {
		t.Fatal(err)
	}
	if sealed.Key != key || sealed.Size != int64(len(data)) {
		t.Fatalf("sealed %d bytes as %q, not %d as %q", sealed.Size, sealed.Key, len(data), key)
	}
	text, err := json.Marshal(sealed)
	if err != nil {
		t.Fatal(err)
	}
	var u objstore.Upload
	if err := json.Unmarshal(text, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func complete(t *testing.T, b objstore.Bucket, u objstore.Upload) objstore.Object {
	t.Helper()
	o, err := b.Complete(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	if o.Key != u.Key || o.Size != u.Size {
		t.Fatalf("completed %q of %d bytes gives %q of %d", u.Key, u.Size, o.Key, o.Size)
	}
	return o
}

// noise returns n bytes, always the same, without repetitions.
func noise(n int) []byte {
	var seed [32]byte
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(data) // it never fails
	return data
}

var driverFrame = regexp.MustCompile(`bucketmill/objstore/(file|minio|s3|internal/\w+)\.`)

// goroutineGrace is how long a goroutine may take to end after the test: a timer may have just
// fired.
const goroutineGrace = 5 * time.Second

// checkNoGoroutines checks that no goroutine still runs code of a driver. Those of the HTTP
// transport belong to idle connections and don't count.
func checkNoGoroutines(t *testing.T) {
	t.Helper()
	deadline := time.After(goroutineGrace)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		left := driverGoroutine()
		if left == "" {
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Errorf("a goroutine is left:\n%s", left)
			return
		}
	}
}

// driverGoroutine returns the stack of a goroutine that runs code of a driver, or "".
func driverGoroutine() string {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if driverFrame.MatchString(stack) {
			return stack
		}
	}
	return ""
}
