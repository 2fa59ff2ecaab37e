package objstoretest

import (
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func (f *faultSuite) lostPutIfAbsent(t *testing.T) {
	faults, b, prefix := f.bucket(t)
	faults.Inject(Method(http.MethodPut), 1, LoseAnswer)
	if _, err := b.PutIfAbsent(t.Context(), prefix+"mine", []byte("data")); err != nil {
		t.Errorf("it lost to itself: %v", err)
	}
	wantContent(t, b, prefix+"mine", []byte("data"))

	put(t, b, prefix+"theirs", "data") // the same content does not make it ours
	faults.Inject(Method(http.MethodPut), 1, Refuse(500, "InternalError"))
	_, err := b.PutIfAbsent(t.Context(), prefix+"theirs", []byte("data"))
	wantError(t, b, prefix+"theirs", err, objstore.ErrExists)
}

func (f *faultSuite) lostComplete(t *testing.T) {
	faults, b, prefix := f.bucket(t)
	u := seal(t, b, prefix+"key", []byte("data"))
	faults.Inject(Completion, 1, LoseAnswer)
	complete(t, b, u)
	wantContent(t, b, u.Key, []byte("data"))
}

func (f *faultSuite) lostDelete(t *testing.T) {
	faults, b, prefix := f.bucket(t)
	put(t, b, prefix+"key", "data")
	u := seal(t, b, prefix+"upload", []byte("data"))
	faults.Inject(Method(http.MethodPost), 1, LoseAnswer)
	if err := b.Delete(t.Context(), prefix+"key"); err != nil {
		t.Error(err)
	}
	wantAbsent(t, b, prefix+"key")
	faults.Inject(Method(http.MethodDelete), 1, LoseAnswer)
	if err := b.Abort(t.Context(), u); err != nil {
		t.Error(err)
	}
}

// partFails checks that the failure of a part ends the writer, and aborts the upload.
func (f *faultSuite) partFails(t *testing.T) {
	faults, b, prefix := f.bucket(t)
	key := prefix + "key"
	w := create(t, b, key, nil)
	faults.Inject(PartUpload, 1<<30, Refuse(500, "InternalError"))
	var err error
	for range 20 { // parts
		if _, err = w.Write(noise(objstore.MinPartSize)); err != nil {
			break
		}
	}
	wantError(t, b, key, err, objstore.ErrUnavailable)
	_, again := w.Write([]byte("more"))
	if !errors.Is(again, objstore.ErrUnavailable) {
		t.Errorf("the next Write gives %v", again)
	}
	_, sealed := w.Seal()
	wantError(t, b, key, sealed, objstore.ErrUnavailable)
	if uploads := uploadsOf(t, b, key); len(uploads) != 0 {
		t.Errorf("left: %v", uploads)
	}
}

// partsInFlight counts the parts that are sent at the same time: each one is in memory.
func (f *faultSuite) partsInFlight(t *testing.T) {
	const limit = 2
	faults, b, prefix := f.bucket(t)
	var mu sync.Mutex
	now, most := 0, 0
	faults.Inject(PartUpload, 1<<30, func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		defer func() {
			mu.Lock()
			now--
			mu.Unlock()
		}()
		return send(r)
	})
	if _, err := create(t, b, prefix+"key", noise(6*objstore.MinPartSize)).Commit(); err != nil {
		t.Fatal(err)
	}
	if most > limit {
		t.Errorf("%d parts are sent at the same time", most)
	}
	if sent := len(faults.Seen(PartUpload)); sent != 6 {
		t.Errorf("%d part uploads for 6 parts", sent)
	}
}

func (f *faultSuite) corrupted(t *testing.T) {
	faults, b, prefix := f.bucket(t)
	corrupted(t, faults, b, prefix)
}

// corrupted checks that a body that arrives damaged is sent again.
func corrupted(t *testing.T, faults *Faults, b objstore.Bucket, prefix string) {
	t.Helper()
	data := noise(200_000)
	faults.Inject(Method(http.MethodPut), 1, Corrupt)
	put(t, b, prefix+"key", string(data))
	wantContent(t, b, prefix+"key", data)
	faults.Inject(PartUpload, 1, Corrupt)
	complete(t, b, seal(t, b, prefix+"sealed", data))
	wantContent(t, b, prefix+"sealed", data)
}
