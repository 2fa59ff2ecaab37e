package objstoretest

import (
	"context"
	"errors"
	"io"
	"testing"
)

func wantCancelled(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s gives %v, not context.Canceled", what, err)
	}
}

func (s *suite) cancelled(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "key"
	put(t, b, key, "data")
	u := seal(t, b, key, []byte("sealed"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := b.Get(ctx, key, 0, -1)
	wantCancelled(t, "Get", err)
	_, err = b.Stat(ctx, key)
	wantCancelled(t, "Stat", err)
	_, err = b.Put(ctx, key, nil)
	wantCancelled(t, "Put", err)
	_, err = b.PutIfAbsent(ctx, prefix+"other", nil)
	wantCancelled(t, "PutIfAbsent", err)
	_, err = b.Create(ctx, prefix+"other")
	wantCancelled(t, "Create", err)
	_, err = b.Complete(ctx, u)
	wantCancelled(t, "Complete", err)
	wantCancelled(t, "Abort", b.Abort(ctx, u))
	wantCancelled(t, "Delete", b.Delete(ctx, key))
	for _, err := range b.List(ctx, prefix) {
		wantCancelled(t, "List", err)
	}
	for _, err := range b.Uploads(ctx, prefix) {
		wantCancelled(t, "Uploads", err)
	}
	wantContent(t, b, key, []byte("data"))
	wantAbsent(t, b, prefix+"other")
	complete(t, b, u)
}

func (s *suite) cancelledReader(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "key"
	put(t, b, key, string(noise(8<<20)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := b.Get(ctx, key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.Copy(io.Discard, r)
	wantCancelled(t, "the rest", err)
	if err := r.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// cancelledWriter cancels before and after parts were sent, and checks that nothing is left.
func (s *suite) cancelledWriter(t *testing.T) {
	b, prefix := s.bucket(t)
	for _, size := range []int{10, 9 << 20} {
		key := prefix + "key"
		ctx, cancel := context.WithCancel(t.Context())
		w, err := b.Create(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(noise(size)); err != nil {
			t.Fatal(err)
		}
		cancel()
		_, err = w.Write([]byte("more"))
		wantCancelled(t, "Write", err)
		_, err = w.Seal()
		wantCancelled(t, "Seal", err)
		wantAbsent(t, b, key)
		if uploads := uploadsOf(t, b, key); len(uploads) != 0 {
			t.Errorf("left after Seal failed: %v", uploads)
		}
	}
}
