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

// Faults is a transport that misbehaves on demand. It is between a driver and a real store.
type Faults struct {
	base http.RoundTripper

	mu    sync.Mutex
	rules []*rule         // guarded by mu: the first one that matches and is not used up applies
	seen  []*http.Request // guarded by mu: all requests, with and without faults
}

type rule struct {
	match func(*http.Request) bool
	left  int
	fault Fault
}

// Fault answers a request in place of the store. It may call send to ask the store.
type Fault func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error)

// NewFaults returns a transport without faults.
func NewFaults(base http.RoundTripper) *Faults { return &Faults{base: base} }

// newTransport returns a connection pool that is closed when the test ends.
func newTransport(t testing.TB, c *tls.Config) *http.Transport {
	base := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16, TLSClientConfig: c}
	t.Cleanup(base.CloseIdleConnections)
	return base
}

// Inject adds a fault for the next n requests that match.
func (f *Faults) Inject(match func(*http.Request) bool, n int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &rule{match: match, left: n, fault: fault})
}

// Seen returns the requests up to now that match.
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
	if fault := f.faultFor(r); fault != nil {
		return fault(r, f.base.RoundTrip)
	}
	return f.base.RoundTrip(r)
}

// faultFor records a request, and returns its fault or nil.
func (f *Faults) faultFor(r *http.Request) Fault {
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

// The functions below match kinds of requests.

// Any matches every request.
func Any(*http.Request) bool { return true }

// Method matches requests with an HTTP method.
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

// PartsListing matches ListParts, with which drivers ask whether an upload exists.
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

// Refuse answers with an error.
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

// answer returns an answer with a body of XML.
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

// closeBody closes the request's body, as a RoundTripper must.
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

// LoseAnswer sends the request and breaks the connection before the answer.
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

// Hang neither reads the request nor answers until the driver gives up.
func Hang(r *http.Request, _ func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	<-r.Context().Done()
	if err := closeBody(r); err != nil {
		return nil, err
	}
	return nil, r.Context().Err()
}

// Corrupt flips a bit of the request's body.
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

// BreakBody passes n bytes of the answer's body and then fails with err. If err is nil, the body
// then hangs until the driver gives up.
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
