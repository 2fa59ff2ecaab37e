package objstoretest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Faults is a transport that misbehaves on demand. It sits between a driver and a real store.
type Faults struct {
	base http.RoundTripper

	mu    sync.Mutex
	rules []*rule         // guarded by mu: the first that matches and is not used up acts
	seen  []*http.Request // guarded by mu: what came in, faulty or not
}

type rule struct {
	match func(*http.Request) bool
	left  int
	fault Fault
}

// Fault answers a request in the place of send, which asks the store.
type Fault func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error)

// NewFaults makes a transport that has no faults yet.
func NewFaults(base http.RoundTripper) *Faults { return &Faults{base: base} }

// newTransport makes a connection pool that the test closes.
func newTransport(t testing.TB, c *tls.Config) *http.Transport {
	base := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16, TLSClientConfig: c}
	t.Cleanup(base.CloseIdleConnections)
	return base
}

// Inject makes the next n requests that match go wrong.
func (f *Faults) Inject(match func(*http.Request) bool, n int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &rule{match: match, left: n, fault: fault})
}

// Seen gives the requests so far that match.
func (f *Faults) Seen(match func(*http.Request) bool) (requests []*http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.seen {
		if match(r) {
			requests = append(requests, r)
		}
	}
	return requests
}

// RoundTrip implements [http.RoundTripper].
func (f *Faults) RoundTrip(r *http.Request) (*http.Response, error) {
	if fault := f.next(r); fault != nil {
		return fault(r, f.base.RoundTrip)
	}
	return f.base.RoundTrip(r)
}

func (f *Faults) next(r *http.Request) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, r)
	for _, rule := range f.rules {
		if rule.left > 0 && rule.match(r) {
			rule.left--
			return rule.fault
		}
	}
	return nil
}

// Requests of each kind, as a store sees them.

// Any matches every request.
func Any(*http.Request) bool { return true }

// Method matches one of HTTP's methods.
func Method(method string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method }
}

// Read matches GetObject.
func Read(r *http.Request) bool {
	return r.Method == http.MethodGet && !Listing(r)
}

// Listing matches a page of objects, of uploads, or of an upload's parts.
func Listing(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.URL.Query().Has("list-type") || r.URL.Query().Has("uploads")) || PartsListing(r)
}

// PartsListing matches ListParts, by which drivers ask whether there is such an upload.
func PartsListing(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Has("uploadId")
}

// Abortion matches AbortMultipartUpload.
func Abortion(r *http.Request) bool {
	return r.Method == http.MethodDelete && r.URL.Query().Has("uploadId")
}

// PartUpload matches UploadPart.
func PartUpload(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.Query().Has("partNumber")
}

// Completion matches CompleteMultipartUpload.
func Completion(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

// Refuse answers like a store that will not.
func Refuse(status int, code string) Fault {
	return func(r *http.Request, _ func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		body := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
		if r.Method == http.MethodHead {
			body = ""
		}
		if err := closeBody(r); err != nil {
			return nil, err
		}
		return answer(r, status, body), nil
	}
}

// answer is one of XML.
func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": {"application/xml"}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}
}

// closeBody keeps RoundTripper's promise to close what it was given.
func closeBody(r *http.Request) error {
	if r.Body == nil {
		return nil
	}
	return r.Body.Close()
}

// Reset breaks the connection before the request is sent.
func Reset(r *http.Request, _ func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	if err := closeBody(r); err != nil {
		return nil, err
	}
	return nil, syscall.ECONNRESET
}

// LoseAnswer sends the request and breaks the connection before its answer.
func LoseAnswer(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	response, err := send(r)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	return nil, syscall.ECONNRESET
}

// Hang takes no byte of the request and gives none back until the driver loses patience.
func Hang(r *http.Request, _ func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	<-r.Context().Done()
	if err := closeBody(r); err != nil {
		return nil, err
	}
	return nil, r.Context().Err()
}

// Corrupt flips a bit of the request's body under way.
func Corrupt(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := closeBody(r); err != nil {
		return nil, err
	}
	body[len(body)/2] ^= 1
	sent := r.Clone(r.Context())
	sent.Body = io.NopCloser(bytes.NewReader(body))
	return send(sent)
}

// BreakBody lets n bytes of the answer's body pass and then gives err. A nil err stands for one
// that never comes: the body hangs until the driver loses patience.
func BreakBody(n int64, err error) Fault {
	return func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		response, serr := send(r)
		if serr != nil {
			return nil, serr
		}
		response.Body = &brokenBody{ReadCloser: response.Body, request: r, left: n, err: err}
		return response, nil
	}
}

type brokenBody struct {
	io.ReadCloser
	request *http.Request
	left    int64
	err     error
}

func (b *brokenBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		if b.err == nil {
			<-b.request.Context().Done()
			return 0, b.request.Context().Err()
		}
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
