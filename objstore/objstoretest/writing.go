package objstoretest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func (s *suite) putReplaces(t *testing.T) {
	b, prefix := s.bucket(t)
	for _, data := range []string{"a longer first version", "", "third"} {
		o := put(t, b, prefix+"key", data)
		if o.Key != prefix+"key" || o.Size != int64(len(data)) {
			t.Errorf("Put gives %+v", o)
		}
		wantContent(t, s.open(t), prefix+"key", []byte(data))
	}
}

func (s *suite) putIfAbsent(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "folder/key"
	o, err := b.PutIfAbsent(t.Context(), key, []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	if o.Key != key || o.Size != 5 {
		t.Errorf("PutIfAbsent gives %+v", o)
	}
	_, err = s.open(t).PutIfAbsent(t.Context(), key, []byte("second"))
	wantError(t, b, key, err, objstore.ErrExists)
	wantContent(t, b, key, []byte("first"))
	if err := b.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err = b.PutIfAbsent(t.Context(), key, []byte("third")); err != nil {
		t.Fatal(err)
	}
	wantContent(t, b, key, []byte("third"))
}

func (s *suite) putIfAbsentRace(t *testing.T) {
	const writers, rounds = 16, 5
	b, prefix := s.bucket(t)
	others := [2]objstore.Bucket{s.open(t), s.open(t)}
	for round := range rounds {
		key := fmt.Sprintf("%sround-%d", prefix, round)
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				_, errs[i] = others[i%2].PutIfAbsent(t.Context(), key, fmt.Appendf(nil, "writer %d", i))
			})
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				t.Fatalf("writers %d and %d both won", winner, i)
			case err == nil:
				winner = i
			default:
				wantError(t, b, key, err, objstore.ErrExists)
			}
		}
		if winner < 0 {
			t.Fatal("nobody won")
		}
		wantContent(t, b, key, fmt.Appendf(nil, "writer %d", winner))
	}
}

func (s *suite) oddNames(t *testing.T) {
	b, prefix := s.bucket(t)
	for _, name := range oddNames {
		key := prefix + name
		put(t, b, key, name)
		wantContent(t, b, key, []byte(name))
		complete(t, b, seal(t, b, key, []byte(name+" sealed")))
		wantContent(t, b, key, []byte(name+" sealed"))
	}
	if err := b.Delete(t.Context(), inFolder(prefix, oddNames)...); err != nil {
		t.Fatal(err)
	}
	if keys := list(t, b, prefix); len(keys) != 0 {
		t.Errorf("left after Delete: %q", keys)
	}
}

func (s *suite) commit(t *testing.T) {
	b, prefix := s.bucket(t)
	for _, data := range []string{"", "small"} {
		key := prefix + "folder/key-" + data
		w := create(t, b, key, []byte(data))
		wantAbsent(t, b, key)
		o, err := w.Commit()
		if err != nil {
			t.Fatal(err)
		}
		if o.Key != key || o.Size != int64(len(data)) {
			t.Errorf("Commit gives %+v", o)
		}
		wantContent(t, s.open(t), key, []byte(data))
		if uploads := uploadsOf(t, b, key); len(uploads) != 0 {
			t.Errorf("left after Commit: %v", uploads)
		}
	}
}

// largeSize needs several parts; the last one is not full.
const largeSize = 21<<20 + 12345

// writeInPieces writes data in pieces of many sizes.
func writeInPieces(t *testing.T, w objstore.Writer, data []byte) {
	t.Helper()
	for size := 1; len(data) > 0; size = size*3 + 1 {
		n := min(size, len(data))
		if written, err := w.Write(data[:n]); err != nil || written != n {
			t.Fatalf("Write of %d bytes gives %d, %v", n, written, err)
		}
		data = data[n:]
		if size > 3<<20 {
			size = 7
		}
	}
}

func (s *suite) commitLarge(t *testing.T) {
	b, prefix := s.bucket(t)
	key, data := prefix+"large", noise(largeSize)
	w := create(t, b, key, nil)
	writeInPieces(t, w, data)
	wantAbsent(t, b, key)
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, b, key, data)
	part, err := read(t, b, key, 5<<20-10, 8<<20)
	if err != nil || !bytes.Equal(part, data[5<<20-10:13<<20-10]) {
		t.Errorf("a range across parts differs, %v", err)
	}
}

func (s *suite) sealLarge(t *testing.T) {
	b, prefix := s.bucket(t)
	key, data := prefix+"large", noise(largeSize)
	u := seal(t, b, key, data)
	wantAbsent(t, b, key)
	var total int64
	for i, p := range u.Parts {
		if p.Number != i+1 {
			t.Errorf("part %d has the number %d", i, p.Number)
		}
		total += p.Size
	}
	if total != largeSize {
		t.Errorf("the parts have %d bytes", total)
	}
	other := s.open(t)
	complete(t, other, u)
	complete(t, b, u)
	wantContent(t, other, key, data)
}

func (s *suite) sealIsInvisible(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "folder/key"
	u := seal(t, b, key, []byte("sealed"))
	wantAbsent(t, b, key)
	if keys := list(t, s.open(t), prefix); len(keys) != 0 {
		t.Errorf("listed before completion: %q", keys)
	}
	if _, err := b.PutIfAbsent(t.Context(), key, []byte("other")); err != nil {
		t.Errorf("the sealed upload blocks its key: %v", err)
	}
	complete(t, b, u)
	wantContent(t, b, key, []byte("sealed"))
}

func (s *suite) sealEmpty(t *testing.T) {
	b, prefix := s.bucket(t)
	u := seal(t, b, prefix+"empty", nil)
	wantAbsent(t, b, prefix+"empty")
	complete(t, b, u)
	complete(t, b, u)
	wantContent(t, b, prefix+"empty", nil)
}

func (s *suite) writerEnds(t *testing.T) {
	b, prefix := s.bucket(t)
	for name, end := range map[string]func(objstore.Writer) error{
		"sealed":    func(w objstore.Writer) error { _, err := w.Seal(); return err },
		"committed": func(w objstore.Writer) error { _, err := w.Commit(); return err },
		"aborted":   objstore.Writer.Abort,
	} {
		key := prefix + name
		w := create(t, b, key, []byte(name))
		if err := end(w); err != nil {
			t.Fatal(err)
		}
		_, err := w.Write([]byte("more"))
		wantError(t, b, key, err, objstore.ErrInvalid)
		_, err = w.Seal()
		wantError(t, b, key, err, objstore.ErrInvalid)
		_, err = w.Commit()
		wantError(t, b, key, err, objstore.ErrInvalid)
		if err := w.Abort(); err != nil {
			t.Errorf("Abort once %s: %v", name, err)
		}
	}
	wantContent(t, b, prefix+"committed", []byte("committed"))
	wantAbsent(t, b, prefix+"aborted")
	if uploads := uploadsOf(t, b, prefix+"sealed"); len(uploads) != 1 {
		t.Errorf("the deferred Abort leaves %d uploads of the sealed one", len(uploads))
	}
}

func (s *suite) writerAbort(t *testing.T) {
	b, prefix := s.bucket(t)
	for _, size := range []int{0, 10, 9 << 20} {
		key := fmt.Sprintf("%sfolder/%d", prefix, size)
		if err := create(t, b, key, noise(size)).Abort(); err != nil {
			t.Fatal(err)
		}
		wantAbsent(t, b, key)
		if uploads := uploadsOf(t, b, key); len(uploads) != 0 {
			t.Errorf("left after Abort of %d bytes: %v", size, uploads)
		}
	}
}

func (s *suite) probe(t *testing.T) {
	b, prefix := s.bucket(t)
	report, err := objstore.Probe(t.Context(), b, prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	for _, c := range report.Found {
		if !c.OK || c.Name == "" || c.Detail == "" {
			t.Errorf("%+v", c)
		}
	}
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if keys := list(t, b, prefix); len(keys) != 0 {
		t.Errorf("the probe left %q", keys)
	}
	if uploads := uploadsOf(t, b, prefix); len(uploads) != 0 {
		t.Errorf("the probe left %v", uploads)
	}
}
