// Package client speaks the API of package api.
//
// Errors that the server answered are *[api.Problem]: errors.As gets at the code. What only
// reads, and a submission, is tried again when a server can't be reached or asks to wait.
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
	known *knowledge // nil: what the server says of jobs is believed at once
}

// knowledge makes a client wait for jobs that are known to be there.
type knowledge struct {
	waits  func(error)
	atMost time.Duration
}

// returnsWithin is how long a job may take to come back that Redis has lost. Controllers look for such jobs every
// 20 s, and have many to bring back when all are gone.
const returnsWithin = time.Minute

// Knowing returns a client for jobs that are known to be there, since the caller submitted or saw them. That the server knows
// no such job, or can't ask its Redis, it takes for the word that Redis has lost what it held: controllers bring jobs back that
// have not ended. So it asks again until a minute has passed, and only then believes it. Waits, if not nil, is called with
// the answer whenever such waiting begins.
func (c *Client) Knowing(waits func(error)) *Client {
	knows := *c
	if waits == nil {
		waits = func(error) {}
	}
	knows.known = &knowledge{waits: waits, atMost: returnsWithin}
	return &knows
}

// mayReturn tells whether the server misses a job that is known to be there, or could not tell, and has not
// done so for too long.
func (c *Client) mayReturn(err error, since time.Time) bool {
	var p *api.Problem
	if c.known == nil || !errors.As(err, &p) || time.Since(since) > c.known.atMost {
		return false
	}
	return p.Code == api.CodeJobNotFound || p.Code == api.CodeStateUnavailable
}

// New returns a client for the server at a URL, or host:port for plain HTTP. An empty token
// sends none. Requests go through h, which must not have a Timeout: event streams and results
// take as long as they take. Nil means a client of its own.
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
			return nil, errors.New("the token has a line end, which is no part of it")
		}
		return nil, errors.New("the token has a character that no token has")
	}
	if h == nil {
		h = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // nobody else gets the token
		}}
	}
	return &Client{base: strings.TrimSuffix(u.String(), "/"), token: token, http: h}, nil
}

// request describes a request that can be sent more than once, if body can be made again.
type request struct {
	method string
	path   string // escaped, with the query
	header http.Header
	body   func() (io.Reader, error) // nil: none
	length int64                     // of the body; 0 or -1: not known
	once   bool                      // don't try again
}

// Patience with servers that are not there or busy.
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

// passing tells whether an error may go away by itself.
func passing(err error) bool {
	var p *api.Problem
	if errors.As(err, &p) {
		if p.Code == api.CodeTooManyJobs {
			return false // it may take hours
		}
		return p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable
	}
	var network *url.Error // of http.Client
	return errors.As(err, &network)
}

// waitError is a problem with the server's word on when to come back.
type waitError struct {
	error
	after time.Duration
}

func (e waitError) Unwrap() error { return e.error }

// pauseAfter is how long to wait after the n-th failure: as the server said, or twice as long
// as before, with jitter.
func pauseAfter(err error, n int) time.Duration {
	var w waitError
	if errors.As(err, &w) && w.after > 0 {
		return w.after
	}
	most := min(minPause<<min(n, 10), maxPause)
	return most/2 + rand.N(most/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
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

// maxProblem bounds what is read of an error's body, in bytes.
const maxProblem = 1 << 20

// problemOf reads the problem of an answer that is not a success, and closes it. Something
// between us and the server may answer in its own way.
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

// text is a body that can be sent again.
func text(body []byte) func() (io.Reader, error) {
	return func() (io.Reader, error) { return bytes.NewReader(body), nil }
}
