package objstoretest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// attempts is the number of attempts of a driver in these tests.
const attempts = 4

// RunFaults tests an S3 driver against what the contract says about retries and broken connections.
func RunFaults(t *testing.T, s S3) {
	f := &faultSuite{driver: s}
	runAll(t, []test{
		{"Absorbed", f.absorbed},
		{"Budget", f.budget},
		{"NotRepeated", f.notRepeated},
		{"CancelledWhileWaiting", f.cancelledWhileWaiting},
		{"HangingRequest", f.hangingRequest},
		{"BrokenBody", f.brokenBody},
		{"BodyAlwaysBroken", f.bodyAlwaysBroken},
		{"HangingBody", f.hangingBody},
		{"ChangedWhileRead", f.changedWhileRead},
		{"RemovedWhileRead", f.removedWhileRead},
		{"VersionIgnored", f.versionIgnored},
		{"VersionBreaks", f.versionBreaks},
		{"LostAnswerOfPutIfAbsent", f.lostPutIfAbsent},
		{"LostAnswerOfComplete", f.lostComplete},
		{"LostAnswerOfDeleteAndAbort", f.lostDelete},
		{"PartFails", f.partFails},
		{"PartsInFlight", f.partsInFlight},
		{"CorruptedUpload", f.corrupted},
		{"Stats", f.stats},
		{"ErrorTexts", f.errorTexts},
	})
}

type faultSuite struct{ driver S3 }

// bucket opens a bucket that retries quickly and waits long for answers.
func (f *faultSuite) bucket(t *testing.T) (*Faults, objstore.Bucket, string) {
	t.Helper()
	return f.bucketWithTimeout(t, time.Minute)
}

func (f *faultSuite) bucketWithTimeout(t *testing.T, timeout time.Duration) (*Faults, objstore.Bucket, string) {
	t.Helper()
	faults := NewFaults(newTransport(t, nil))
	b := f.driver.open(t, objstore.S3Config{
		Parts:          objstore.PartSizes{Least: objstore.MinPartSize},
		Transport:      faults,
		RequestTimeout: timeout,
		IdleTimeout:    timeout,
		Retry:          objstore.Retry{Attempts: attempts, BaseDelay: time.Millisecond, MaxDelay: 4 * time.Millisecond},
	})
	return faults, b, "faults/" + t.Name() + "/"
}

// calls calls each method once, and returns the errors by method.
func calls(ctx context.Context, b objstore.Bucket, prefix string, u objstore.Upload) map[string]error {
	errs := make(map[string]error)
	r, err := b.Get(ctx, prefix+"key", 1, 2)
	if err == nil {
		err = r.Close()
	}
	errs["Get"] = err
	_, errs["Stat"] = b.Stat(ctx, prefix+"key")
	_, errs["Put"] = b.Put(ctx, prefix+"key", []byte("data"))
	_, errs["PutIfAbsent"] = b.PutIfAbsent(ctx, prefix+"absent", []byte("data"))
	_, errs["Complete"] = b.Complete(ctx, u)
	errs["Abort"] = b.Abort(ctx, u)
	errs["Delete"] = b.Delete(ctx, prefix+"absent")
	for _, err := range b.List(ctx, prefix) {
		errs["List"] = err
	}
	for _, err := range b.Uploads(ctx, prefix) {
		errs["Uploads"] = err
	}
	return errs
}

var troubles = []struct {
	name  string
	fault Fault
	want  error
}{
	{"slow down", Refuse(503, "SlowDown"), objstore.ErrThrottled},
	{"too many", Refuse(429, "TooManyRequests"), objstore.ErrThrottled},
	{"internal error", Refuse(500, "InternalError"), objstore.ErrUnavailable},
	{"bad gateway", Refuse(502, ""), objstore.ErrUnavailable},
	{"reset", Reset, objstore.ErrUnavailable},
}

func (f *faultSuite) absorbed(t *testing.T) {
	for _, trouble := range troubles {
		t.Run(trouble.name, func(t *testing.T) {
			faults, b, prefix := f.bucket(t)
			put(t, b, prefix+"key", "data")
			u := seal(t, b, prefix+"upload", []byte("sealed"))
			// Every request fails twice and then succeeds. The question whether an upload still
			// exists succeeds at once.
			count := 0
			faults.Inject(func(r *http.Request) bool {
				if PartsListing(r) {
					return false
				}
				count++
				return count%3 != 0
			}, 1<<30, trouble.fault)
			for call, err := range calls(t.Context(), b, prefix, u) {
				if err != nil {
					t.Errorf("%s: %v", call, err)
				}
			}
		})
	}
}

func (f *faultSuite) budget(t *testing.T) {
	for _, trouble := range troubles {
		t.Run(trouble.name, func(t *testing.T) {
			faults, b, prefix := f.bucket(t)
			put(t, b, prefix+"key", "data")
			u := seal(t, b, prefix+"upload", []byte("sealed"))
			before := len(faults.Seen(Any))
			faults.Inject(Any, 1<<30, trouble.fault)
			errs := calls(t.Context(), b, prefix, u)
			for call, err := range errs {
				want := trouble.want
				if call == "Stat" && trouble.name == "slow down" {
					want = objstore.ErrUnavailable // a HEAD's answer does not say which kind of 503 it is
				}
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, not %v", call, err, want)
				}
			}
			want := attempts * len(errs)
			if trouble.name == "internal error" {
				want += 2 * 2 * attempts / 2 // after every second failure, Complete and Abort send two requests to find out whether the upload is gone
			}
			if sent := len(faults.Seen(Any)) - before; sent != want {
				t.Errorf("%d requests for %d calls, not %d", sent, len(errs), want)
			}
		})
	}
}

func (f *faultSuite) notRepeated(t *testing.T) {
	for _, refusal := range []struct {
		status int
		code   string
		want   error
	}{
		{403, "AccessDenied", objstore.ErrDenied},
		{403, "InvalidAccessKeyId", objstore.ErrDenied},
		{404, "NoSuchBucket", objstore.ErrNotFound},
		{400, "InvalidArgument", objstore.ErrInvalid},
		{501, "NotImplemented", objstore.ErrNotSupported},
	} {
		t.Run(refusal.code, func(t *testing.T) {
			faults, b, prefix := f.bucket(t)
			faults.Inject(Any, 1<<30, Refuse(refusal.status, refusal.code))
			_, err := b.Put(t.Context(), prefix+"key", nil)
			wantError(t, b, prefix+"key", err, refusal.want)
			_, err = b.Get(t.Context(), prefix+"key", 0, -1)
			wantError(t, b, prefix+"key", err, refusal.want)
			if sent := len(faults.Seen(Any)); sent != 2 {
				t.Errorf("%d requests for 2 calls", sent)
			}
		})
	}
}

// cancelledWhileWaiting cancels the context during a delay that is longer than the test.
func (f *faultSuite) cancelledWhileWaiting(t *testing.T) {
	faults := NewFaults(newTransport(t, nil))
	b := f.driver.open(t, objstore.S3Config{
		Transport: faults,
		Retry:     objstore.Retry{Attempts: 2, BaseDelay: 1000 * time.Hour, MaxDelay: 1000 * time.Hour},
	})
	ctx, cancel := context.WithCancel(t.Context())
	faults.Inject(Any, 1, func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		defer time.AfterFunc(10*time.Millisecond, cancel)
		return Refuse(503, "SlowDown")(r, send)
	})
	_, err := b.Stat(ctx, "key")
	wantCancelled(t, "Stat", err)
}

func (f *faultSuite) hangingRequest(t *testing.T) {
	faults, b, prefix := f.bucketWithTimeout(t, 500*time.Millisecond)
	faults.Inject(Any, 1, Hang)
	put(t, b, prefix+"key", "data")
	faults.Inject(Any, 1, Hang)
	wantContent(t, b, prefix+"key", []byte("data"))
	faults.Inject(Any, attempts, Hang)
	_, err := b.Stat(t.Context(), prefix+"key")
	wantError(t, b, prefix+"key", err, objstore.ErrUnavailable)
}

func (f *faultSuite) brokenBody(t *testing.T) {
	data := noise(100_000)
	for name, broken := range map[string]error{
		"reset":     syscall.ECONNRESET,
		"short":     io.ErrUnexpectedEOF,
		"truncated": io.EOF,
	} {
		t.Run(name, func(t *testing.T) {
			faults, b, prefix := f.bucket(t)
			put(t, b, prefix+"key", string(data))
			// There are more breaks than attempts: each resumption that makes progress resets the
			// count.
			faults.Inject(Method(http.MethodGet), 2*attempts, BreakBody(1000, broken))
			wantContent(t, b, prefix+"key", data)
			gets := faults.Seen(Method(http.MethodGet))
			if len(gets) != 2*attempts+1 {
				t.Fatalf("%d requests", len(gets))
			}
			for i, r := range gets[1:] {
				if want := "bytes=" + string([]byte{byte('1' + i)}) + "000-99999"; r.Header.Get("Range") != want {
					t.Errorf("resumption %d asks for %q, not %q", i, r.Header.Get("Range"), want)
				}
				if r.Header.Get("If-Match") == "" {
					t.Errorf("resumption %d takes any version", i)
				}
			}
			faults.Inject(Method(http.MethodGet), 1, BreakBody(10, broken))
			got, err := read(t, b, prefix+"key", 500, 1000)
			if err != nil || !bytes.Equal(got, data[500:1500]) {
				t.Errorf("a broken range gives %d bytes, %v", len(got), err)
			}
		})
	}
}

func (f *faultSuite) bodyAlwaysBroken(t *testing.T) {
	faults, b, prefix := f.bucket(t)
	put(t, b, prefix+"key", "0123456789")
	faults.Inject(Method(http.MethodGet), 1, BreakBody(5, io.EOF))
	faults.Inject(Method(http.MethodGet), 1<<30, BreakBody(0, io.EOF))
	r, err := b.Get(t.Context(), prefix+"key", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	wantError(t, b, prefix+"key", err, objstore.ErrUnavailable)
	if string(got) != "01234" {
		t.Errorf("got %q before the error", got)
	}
	if sent := len(faults.Seen(Method(http.MethodGet))); sent != 1+attempts {
		t.Errorf("%d requests", sent)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func (f *faultSuite) hangingBody(t *testing.T) {
	faults, b, prefix := f.bucketWithTimeout(t, 500*time.Millisecond)
	data := noise(10_000)
	put(t, b, prefix+"key", string(data))
	faults.Inject(Method(http.MethodGet), 2, BreakBody(1000, nil))
	wantContent(t, b, prefix+"key", data)
}

func (f *faultSuite) changedWhileRead(t *testing.T) {
	err := f.readWhile(t, func(b objstore.Bucket, key string) { put(t, b, key, string(noise(2000))+"!") })
	if !errors.Is(err, objstore.ErrChanged) {
		t.Errorf("the rest of a replaced object gives %v", err)
	}
}

func (f *faultSuite) removedWhileRead(t *testing.T) {
	err := f.readWhile(t, func(b objstore.Bucket, key string) {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
	})
	if !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("the rest of a removed object gives %v", err)
	}
}

// readWhile reads an object whose body breaks in the middle, and calls happen before it reads on.
func (f *faultSuite) readWhile(t *testing.T, happen func(b objstore.Bucket, key string)) error {
	faults, b, prefix := f.bucket(t)
	key := prefix + "key"
	put(t, b, key, string(noise(2000)))
	faults.Inject(Method(http.MethodGet), 1, BreakBody(1000, syscall.ECONNRESET))
	r, err := b.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	happen(b, key)
	_, err = io.Copy(io.Discard, r)
	if cerr := r.Close(); cerr != nil {
		t.Error(cerr)
	}
	return err
}
