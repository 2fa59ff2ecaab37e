package objstoretest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// stats compares the driver's counts with the requests that the store sees.
func (f *faultSuite) stats(t *testing.T) {
	faults, b, prefix := f.bucket(t)
	faults.Inject(Method(http.MethodPut), 1, Refuse(503, "SlowDown"))
	put(t, b, prefix+"key", "0123456789")
	wantContent(t, b, prefix+"key", []byte("0123456789"))
	u := seal(t, b, prefix+"upload", []byte("sealed"))
	for call, err := range calls(t.Context(), b, prefix, u) {
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	got := statsOf(t, b)
	of := func(match func(*http.Request) bool) int64 { return int64(len(faults.Seen(match))) }
	deletion := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("delete") }
	want := objstore.Stats{
		Gets:    of(Read),
		Heads:   of(Method(http.MethodHead)),
		Puts:    of(Method(http.MethodPut)) + of(Method(http.MethodPost)) - of(deletion),
		Lists:   of(Listing),
		Deletes: of(Method(http.MethodDelete)) + of(deletion),
		Retries: 1,
		// calls does not read the range that it opens.
		BytesRead:    int64(len("0123456789")),
		BytesWritten: got.BytesWritten,
	}
	if got != want || got.Gets == 0 || got.Heads == 0 || got.Puts == 0 || got.Lists == 0 || got.Deletes == 0 {
		t.Errorf("counted %+v, not %+v", got, want)
	}
	// The key twice, the upload, two objects of calls, and bodies of XML.
	if least := int64(10 + 10 + 6 + 4 + 4); got.BytesWritten < least || got.BytesWritten > least+4096 {
		t.Errorf("counted %d bytes written, at least %d were", got.BytesWritten, least)
	}
}

// errorTexts checks that the error after the last attempt says what happened, to which object, and
// how often it was tried.
func (f *faultSuite) errorTexts(t *testing.T) {
	for _, trouble := range []struct {
		name  string
		fault Fault
		want  []string
	}{
		{"503", Refuse(503, "SlowDown"), []string{"store asks to slow down", "SlowDown: injected", "HTTP 503"}},
		{"500", Refuse(500, "InternalError"), []string{"store does not answer properly", "InternalError: injected", "HTTP 500"}},
		{"502 without reason", Refuse(502, ""), []string{"store does not answer properly", "HTTP 502"}},
		{"reset", Reset, []string{"store does not answer properly", "connection reset by peer"}},
		{"hang", Hang, []string{"store does not answer properly", "no progress for 300ms"}},
	} {
		t.Run(trouble.name, func(t *testing.T) {
			faults, b, prefix := f.bucketWithTimeout(t, 300*time.Millisecond)
			put(t, b, prefix+"key", "data")
			faults.Inject(Any, 1<<30, trouble.fault)
			_, err := b.Get(t.Context(), prefix+"key", 0, -1)
			wantWords(t, err, "get", b.URL()+"/"+prefix+"key", trouble.want)
			_, err = b.Put(t.Context(), prefix+"key", []byte("data"))
			wantWords(t, err, "put", b.URL()+"/"+prefix+"key", trouble.want)
		})
	}
	for name, broken := range map[string]struct {
		err  error
		want string
	}{
		"short body":    {io.EOF, "unexpected EOF"},
		"reset of body": {syscall.ECONNRESET, "connection reset by peer"},
		"hanging body":  {nil, "no progress for 300ms"},
	} {
		t.Run(name, func(t *testing.T) {
			faults, b, prefix := f.bucketWithTimeout(t, 300*time.Millisecond)
			put(t, b, prefix+"key", "0123456789")
			faults.Inject(Read, 1, BreakBody(4, broken.err))
			faults.Inject(Read, 1<<30, BreakBody(0, broken.err))
			r, err := b.Get(t.Context(), prefix+"key", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(r)
			wantWords(t, err, "read", b.URL()+"/"+prefix+"key",
				[]string{"store does not answer properly", "the body broke off 6 bytes before its end", broken.want})
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func wantWords(t *testing.T, err error, verb, url string, words []string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
	for _, w := range append(words, verb+" "+url, fmt.Sprintf("tried %d times in ", attempts)) {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}
