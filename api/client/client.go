// Package client is a client of the HTTP API.
//
// An error that the server answered is an *[api.Problem]: use errors.As to read its code. Reads and
// submissions are sent again if a server can't be reached or asks to wait.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/api"
)

// Client talks to one server, or to several behind one address. It is safe for concurrent use.
type Client struct {
	base  string // without a slash at its end
	token string
	http  *http.Client
	known *knowledge // nil: an answer that a job is missing is final
}

// knowledge makes a client wait for jobs that are known to exist.
type knowledge struct {
	waits  func(error)
	atMost time.Duration
}

// returnsWithin is how long it may take to restore a job that Redis has lost. Controllers look for
// lost jobs every 20 s, and have many to restore when Redis has lost everything.
const returnsWithin = time.Minute

// Knowing returns a client for jobs that are known to exist because the caller submitted or saw
// them. If the server finds no such job, or can't reach Redis, this client assumes that Redis has
// lost its data: controllers restore jobs that have not ended. So it asks again for a minute before
// it returns the error. Waits, if not nil, is called with the error whenever such a wait begins.
func (c *Client) Knowing(waits func(error)) *Client {
	knows := *c
	if waits == nil {
		waits = func(error) {}
	}
	knows.known = &knowledge{waits: waits, atMost: returnsWithin}
	return &knows
}

// mayReturn reports whether a job that is known to exist is missing, or could not be looked up, and
// may still be restored.
func (c *Client) mayReturn(err error, since time.Time) bool {
	var p *api.Problem
	if c.known == nil || !errors.As(err, &p) || time.Since(since) > c.known.atMost {
		return false
	}
	return p.Code == api.CodeJobNotFound || p.Code == api.CodeStateUnavailable
}

// New returns a client for the server at a URL, or at host:port by plain HTTP. An empty token means
// none. Requests go through h, which must not have a Timeout, because event streams and results may
// take any time. Nil means a new HTTP client.
func New(server, token string, h *http.Client) (*Client, error) {
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("server %q: want http://host:port or https://host", u.Redacted())
	}
	if i := strings.IndexFunc(token, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
		if token[i] == '\n' || token[i] == '\r' {
			return nil, errors.New("the token contains a line end: remove it")
		}
		return nil, errors.New("the token contains a character that is not printable ASCII")
	}
	if h == nil {
		h = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // no other server gets the token
		}}
	}
	return &Client{base: strings.TrimSuffix(u.String(), "/"), token: token, http: h}, nil
}

// request describes a request. It can be sent several times if body can be called several times.
type request struct {
	method string
	path   string // escaped, with the query
	header http.Header
	body   func() (io.Reader, error) // nil: none
	length int64                     // of the body, in bytes; 0 or -1: unknown
	once   bool                      // never send it again
}

// The retries with servers that can't be reached or are busy.
const (
	attempts = 6
	minPause = 100 * time.Millisecond
	maxPause = 3 * time.Second
)

// do sends the request and returns a successful answer. The caller closes its body.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	begun, told := time.Now(), false
	for n := 1; ; n++ {
		resp, err := c.send(ctx, r)
		if err == nil || r.once || ctx.Err() != nil {
			return resp, err
		}
		returns := c.mayReturn(err, begun)
		if !returns && (n >= attempts || !passing(err)) {
			return resp, err
		}
		if returns && !told {
			told = true
			c.known.waits(err)
		}
		if err := sleep(ctx, pauseAfter(err, n)); err != nil {
			return nil, err
		}
	}
}

// passing reports whether an error may go away by itself.
func passing(err error) bool {
	var p *api.Problem
	if errors.As(err, &p) {
		if p.Code == api.CodeTooManyJobs {
			return false // this may take hours
		}
		return p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable
	}
	var network *url.Error // of http.Client
	return errors.As(err, &network)
}

// waitError is a problem with the server's Retry-After.
type waitError struct {
	error
	after time.Duration
}

func (e waitError) Unwrap() error { return e.error }

// pauseAfter returns how long to wait after the n-th failure: as long as the server says, or else
// twice as long as before, with jitter.
func pauseAfter(err error, n int) time.Duration {
	var w waitError
	if errors.As(err, &w) && w.after > 0 {
		return w.after
	}
	most := min(minPause<<min(n, 10), maxPause)
	return most/2 + rand.N(most/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// send sends the request once.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		var err error
		if body, err = r.body(); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, body)
	if err != nil {
		return nil, err
	}
	if r.length > 0 {
		req.ContentLength = r.length
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, problemOf(resp)
	}
	return resp, nil
}

// maxProblem is how much of an error's body is read, in bytes.
const maxProblem = 1 << 20

// problemOf reads the problem of an unsuccessful answer, and closes the answer. A proxy may answer
// in its own form.
func problemOf(resp *http.Response) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	p := new(api.Problem)
	if err != nil || json.Unmarshal(text, p) != nil || p.Code == "" {
		p = &api.Problem{Title: http.StatusText(resp.StatusCode), Detail: fmt.Sprintf("the server answers %s", resp.Status)}
	}
	p.Status = resp.StatusCode
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		return waitError{error: p, after: min(time.Duration(after)*time.Second, time.Minute)}
	}
	return p
}

// call sends a request and decodes its JSON answer into answer, unless that is nil.
func (c *Client) call(ctx context.Context, r request, answer any) (err error) {
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", r.method, r.path, err)
	}
	return nil
}

func (c *Client) get(ctx context.Context, path string, answer any) error {
	return c.call(ctx, request{method: http.MethodGet, path: path}, answer)
}

// open returns the body of a successful answer.
func (c *Client) open(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: path})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// text returns a body that can be sent again.
func text(body []byte) func() (io.Reader, error) {
	return func() (io.Reader, error) { return bytes.NewReader(body), nil }
}
