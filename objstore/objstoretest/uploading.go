package objstoretest

import (
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

func (s *suite) completeElsewhere(t *testing.T) {
	b, prefix := s.bucket(t)
	u := seal(t, b, prefix+"folder/key", []byte("data"))
	other := s.open(t)
	complete(t, other, u)
	wantContent(t, b, u.Key, []byte("data"))
	if uploads := uploadsOf(t, b, prefix); len(uploads) != 0 {
		t.Errorf("left after Complete: %v", uploads)
	}
}

func (s *suite) completeReplaces(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "key"
	put(t, b, key, "before")
	u := seal(t, b, key, []byte("after"))
	wantContent(t, b, key, []byte("before"))
	complete(t, b, u)
	wantContent(t, b, key, []byte("after"))
}

func (s *suite) completeTwice(t *testing.T) {
	b, prefix := s.bucket(t)
	u := seal(t, b, prefix+"key", []byte("data"))
	first := complete(t, b, u)
	second := complete(t, b, u)
	third := complete(t, s.open(t), u)
	if first.ETag != second.ETag || first.ETag != third.ETag {
		t.Errorf("completions give the ETags %q, %q, %q", first.ETag, second.ETag, third.ETag)
	}
	wantContent(t, b, u.Key, []byte("data"))
}

func (s *suite) completeConcurrently(t *testing.T) {
	b, prefix := s.bucket(t)
	u := seal(t, b, prefix+"key", []byte("data"))
	var wg sync.WaitGroup
	for range 8 {
		other := s.open(t)
		wg.Go(func() {
			if _, err := other.Complete(t.Context(), u); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantContent(t, b, u.Key, []byte("data"))
}

// completeTooLate completes again after the object was replaced by one of the same size, and after
// it was removed.
func (s *suite) completeTooLate(t *testing.T) {
	b, prefix := s.bucket(t)
	u := seal(t, b, prefix+"key", []byte("data"))
	complete(t, b, u)
	put(t, b, u.Key, "DATA")
	_, err := b.Complete(t.Context(), u)
	wantError(t, b, u.Key, err, objstore.ErrNotFound)
	wantContent(t, b, u.Key, []byte("DATA"))

	complete(t, b, seal(t, b, u.Key, []byte("Data")))
	_, err = b.Complete(t.Context(), u)
	wantError(t, b, u.Key, err, objstore.ErrNotFound)
	wantContent(t, b, u.Key, []byte("Data"))

	if err := b.Delete(t.Context(), u.Key); err != nil {
		t.Fatal(err)
	}
	_, err = b.Complete(t.Context(), u)
	wantError(t, b, u.Key, err, objstore.ErrNotFound)
	wantAbsent(t, b, u.Key)
}

// completeAborted completes an aborted upload while its key has another object: of another size, of
// other bytes, of the same bytes.
func (s *suite) completeAborted(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "key"
	for _, there := range []func(){
		func() { put(t, b, key, "of another size") },
		func() { put(t, b, key, "DATA") },
		func() { put(t, b, key, "data") },
		func() { complete(t, b, seal(t, b, key, []byte("Data"))) },
		func() { complete(t, b, seal(t, b, key, []byte("data"))) },
	} {
		there()
		want, err := read(t, b, key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		u := seal(t, b, key, []byte("data"))
		if err := b.Abort(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		_, err = s.open(t).Complete(t.Context(), u)
		wantError(t, b, key, err, objstore.ErrNotFound)
		wantContent(t, b, key, want)
		wantMade(t, b, u, false)
	}
}

// made checks that Made distinguishes an upload's object from all others that take its place.
func (s *suite) made(t *testing.T) {
	b, prefix := s.bucket(t)
	key := prefix + "key"
	u := seal(t, b, key, []byte("data"))
	wantMade(t, b, u, false)
	put(t, b, key, "data")
	wantMade(t, b, u, false)
	complete(t, b, u)
	wantMade(t, b, u, true)
	wantMade(t, s.open(t), u, true)

	same := seal(t, b, key, []byte("data"))
	wantMade(t, b, same, false)
	complete(t, b, same)
	wantMade(t, b, same, true)
	wantMade(t, b, u, false)
	_, err := b.Complete(t.Context(), u)
	wantError(t, b, key, err, objstore.ErrNotFound)

	put(t, b, key, "data")
	wantMade(t, b, same, false)
	if err := b.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	wantMade(t, b, same, false)
	_, err = b.Made(t.Context(), objstore.Upload{Key: key, ID: same.ID})
	wantError(t, b, key, err, objstore.ErrInvalid)
}

func wantMade(t *testing.T, b objstore.Bucket, u objstore.Upload, want bool) {
	t.Helper()
	if made, err := b.Made(t.Context(), u); err != nil || made != want {
		t.Fatalf("Made gives %t, %v, not %t", made, err, want)
	}
}

func (s *suite) abortElsewhere(t *testing.T) {
	b, prefix := s.bucket(t)
	u := seal(t, b, prefix+"folder/key", []byte("data"))
	other := s.open(t)
	for range 2 {
		if err := other.Abort(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.Complete(t.Context(), u)
	wantError(t, b, u.Key, err, objstore.ErrNotFound)
	wantAbsent(t, b, u.Key)
}

func (s *suite) abortAfterComplete(t *testing.T) {
	b, prefix := s.bucket(t)
	u := seal(t, b, prefix+"key", []byte("data"))
	complete(t, b, u)
	if err := s.open(t).Abort(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	wantContent(t, b, u.Key, []byte("data"))
}

func (s *suite) uploads(t *testing.T) {
	b, prefix := s.bucket(t)
	started := time.Now().Add(-time.Minute)
	a := seal(t, b, prefix+"jobs/a/one", []byte("x"))
	second := seal(t, b, prefix+"jobs/a/one", []byte("y"))
	other := seal(t, b, prefix+"jobs/b/two", []byte("z"))
	done := seal(t, b, prefix+"jobs/a/done", []byte("x"))
	complete(t, b, done)
	unsealed := create(t, b, prefix+"jobs/a/unsealed", noise(9<<20)) // more than a part
	put(t, b, prefix+"jobs/a/object", "x")

	want := map[string]bool{a.ID: true, second.ID: true}
	for _, u := range uploadsOf(t, s.open(t), prefix+"jobs/a/") {
		switch {
		case u.Key == prefix+"jobs/a/unsealed":
		case want[u.ID] && u.Key == a.Key:
			delete(want, u.ID)
		default:
			t.Errorf("lists %+v", u)
			continue
		}
		if u.Begun.Before(started) || u.Begun.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s begun at %v", u.Key, u.Begun)
		}
		if err := b.Abort(t.Context(), u); err != nil {
			t.Error(err)
		}
	}
	if len(want) != 0 {
		t.Errorf("does not list %v", want)
	}
	if uploads := uploadsOf(t, b, prefix+"jobs/a/"); len(uploads) != 0 {
		t.Errorf("left after Abort: %v", uploads)
	}
	if uploads := uploadsOf(t, b, prefix+"jobs/"); len(uploads) != 1 || uploads[0].ID != other.ID {
		t.Errorf("under jobs/: %v", uploads)
	}
	if err := unsealed.Abort(); err != nil {
		t.Errorf("Abort of a Writer whose upload is gone: %v", err)
	}
}

// uploadsOfKeyAndFolder lists a prefix that is also a whole key.
func (s *suite) uploadsOfKeyAndFolder(t *testing.T) {
	b, prefix := s.bucket(t)
	want := make(map[string]bool)
	for _, key := range []string{"name", "name", "name-longer", "name/below"} {
		want[seal(t, b, prefix+key, []byte("x")).ID] = true
	}
	seal(t, b, prefix+"nam", []byte("x"))
	for _, u := range uploadsOf(t, s.open(t), prefix+"name") {
		if !want[u.ID] {
			t.Errorf("lists %+v, or lists it twice", u)
		}
		delete(want, u.ID)
	}
	if len(want) != 0 {
		t.Errorf("does not list %v", want)
	}
}
