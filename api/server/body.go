package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
)

// maxPlainBody limits the bodies of requests that need none, in bytes.
const maxPlainBody = 4 << 10

// bodyReader is a request's body with limits on its size and on how long the server waits for it.
// Its errors are problems for the client. It is confined to the request's goroutine.
//
// Only the time spent in Read counts, which is the client's: while a slow store takes what came,
// the client's clock stands still.
type bodyReader struct {
	body  io.ReadCloser
	conn  *http.ResponseController
	limit int64 // bytes
	read  int64 // bytes so far
	grace time.Duration
	rate  int64 // bytes per second
	spent time.Duration
}

func (b *bodyReader) Read(p []byte) (int, error) {
	begun := time.Now()
	left := b.grace + time.Duration(float64(b.read)/float64(b.rate)*float64(time.Second)) - b.spent
	// A connection without deadlines (a test's recorder) has no slow client either.
	_ = b.conn.SetReadDeadline(begun.Add(left))
	n, err := b.body.Read(p)
	b.spent += time.Since(begun)
	b.read += int64(n)
	if b.read > b.limit {
		return 0, newProblem(api.CodeBodyTooLarge, "the body may have at most %d bytes here", b.limit)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		return n, io.EOF // package http removes the deadline, to see whether the client leaves
	// The last bytes are dropped: the end of the connection has ended the request's context, and
	// writing them would fail with that error instead of this one.
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, newProblem(api.CodeBodyTooSlow, "%d bytes arrived in %v", b.read, b.spent.Round(time.Millisecond)).WithCause(err)
	}
	return 0, newProblem(api.CodeIncompleteBody, "the body ends after %d bytes", b.read).WithCause(err)
}

func (b *bodyReader) Close() error { return b.body.Close() }

// guardBody limits every request's body. Handlers that accept a large one call allowBody. The
// deadline stays if a handler leaves the body unread, so that discarding it ends.
func (s *Server) guardBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Body == nil || r.Body == http.NoBody {
			return next(c)
		}
		if err := checkCoding(c, r.Header.Get(echo.HeaderContentEncoding)); err != nil {
			return err
		}
		conn := http.NewResponseController(c.Response())
		_ = conn.SetReadDeadline(time.Now().Add(s.cfg.BodyGrace)) // as in Read
		// In a copy: package http checks the body of its own request when a client waits for 100
		// Continue.
		guarded := *r
		guarded.Body = &bodyReader{
			body: r.Body, conn: conn, limit: maxPlainBody,
			grace: s.cfg.BodyGrace, rate: s.cfg.BodyRate,
		}
		c.SetRequest(&guarded)
		return next(c)
	}
}

// checkCoding refuses a body with a content encoding, because the server would not decode it.
func checkCoding(c echo.Context, coding string) error {
	if coding == "" || strings.EqualFold(coding, "identity") {
		return nil
	}
	c.Response().Header().Set(echo.HeaderAcceptEncoding, "identity")
	return newProblem(api.CodeMediaType, "the content encoding %.40q is not supported", coding).WithHint("send the body as it is, without a Content-Encoding")
}

// allowBody raises the limit of the request's body, in bytes. It fails at once if the request
// announces a longer body.
func allowBody(c echo.Context, limit int64) error {
	r := c.Request()
	if r.ContentLength > limit {
		return newProblem(api.CodeBodyTooLarge, "the body has %d bytes; at most %d are allowed here", r.ContentLength, limit)
	}
	if b, ok := r.Body.(*bodyReader); ok {
		b.limit = limit
	}
	return nil
}

// takePlace makes the request one of the uploads under way, if there is room. The caller must
// call giveBack at the end.
func (s *Server) takePlace(c echo.Context) (giveBack func(), err error) {
	select {
	case s.uploads <- struct{}{}:
		return func() { <-s.uploads }, nil
	default:
		c.Response().Header().Set(echo.HeaderRetryAfter, "2")
		return nil, newProblem(api.CodeTooManyUploads, "%d uploads are under way", cap(s.uploads))
	}
}

// paceAnswers gives every answer a pacedWriter.
func (s *Server) paceAnswers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		w := pacedWriter{
			ResponseWriter: c.Response().Writer, conn: http.NewResponseController(c.Response().Writer), grace: s.cfg.AnswerGrace,
		}
		w.wait() // the connection still has the deadline of the answer before
		c.Response().Writer = w
		return next(c)
	}
}

// pace is the size of a piece of an answer, in bytes.
const pace = 256 << 10

// pacedWriter gives up on clients that don't read their answer: each piece of it has a deadline.
type pacedWriter struct {
	http.ResponseWriter
	conn  *http.ResponseController
	grace time.Duration
}

// wait sets the deadline of the next piece.
func (w pacedWriter) wait() {
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.grace)) // a connection without deadlines has no client to wait for
}

func (w pacedWriter) WriteHeader(status int) {
	w.wait()
	w.ResponseWriter.WriteHeader(status)
}

func (w pacedWriter) Write(p []byte) (n int, err error) {
	for {
		w.wait()
		piece := p[:min(len(p), pace)]
		written, err := w.ResponseWriter.Write(piece)
		n += written
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			err = leftError{err}
		}
		if p = p[len(piece):]; err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// leftError says that the client has closed the connection before it had the whole answer, as
// clients do that want only the beginning.
type leftError struct{ error }

func (e leftError) Unwrap() error { return e.error }

// Unwrap is for http.ResponseController.
func (w pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
