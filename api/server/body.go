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

// maxPlainBody bounds the bodies of requests that have no use for one, in bytes.
const maxPlainBody = 4 << 10

// bodyReader is a request's body with limits on its size and on how long it keeps us waiting.
// Its errors are problems, ready for the client. It is confined to the request's goroutine.
//
// The time that counts is what is spent in Read, which is the client's: while the store is
// slow to take what came, the client's clock stands still.
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
	// Where the connection knows no deadlines (a test's recorder) nobody can trickle either.
	_ = b.conn.SetReadDeadline(begun.Add(left))
	n, err := b.body.Read(p)
	b.spent += time.Since(begun)
	b.read += int64(n)
	if b.read > b.limit {
		return 0, newProblem(api.CodeBodyTooLarge, "at most %d bytes are taken here", b.limit)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		return n, io.EOF // and package http lifts the deadline, to see whether the client leaves
	// The last bytes are kept back: the connection's end has ended the request's context, and who
	// tries to write them fails for that reason instead of this.
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, newProblem(api.CodeBodyTooSlow, "%d bytes came in %v", b.read, b.spent.Round(time.Millisecond)).WithCause(err)
	}
	return 0, newProblem(api.CodeIncompleteBody, "the body ends after %d bytes", b.read).WithCause(err)
}

func (b *bodyReader) Close() error { return b.body.Close() }

// guardBody bounds every request's body. Handlers that take a large one say so by allowBody. The
// deadline stays when a handler leaves the body unread, so that throwing it away has an end.
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
		// In a copy: package http looks at its own request's body to see whether who waits for 100 Continue still has it.
		guarded := *r
		guarded.Body = &bodyReader{
			body: r.Body, conn: conn, limit: maxPlainBody,
			grace: s.cfg.BodyGrace, rate: s.cfg.BodyRate,
		}
		c.SetRequest(&guarded)
		return next(c)
	}
}

// checkCoding refuses a body that is compressed, or otherwise another than its type says: it would be taken as it is.
func checkCoding(c echo.Context, coding string) error {
	if coding == "" || strings.EqualFold(coding, "identity") {
		return nil
	}
	c.Response().Header().Set(echo.HeaderAcceptEncoding, "identity")
	return newProblem(api.CodeMediaType, "content encoding %.40q", coding).WithHint("send the body as it is, without a Content-Encoding")
}

// allowBody raises the limit of the request's body to so many bytes. It refuses at once what
// says that it is longer.
func allowBody(c echo.Context, limit int64) error {
	r := c.Request()
	if r.ContentLength > limit {
		return newProblem(api.CodeBodyTooLarge, "%d bytes are more than the %d that are taken here", r.ContentLength, limit)
	}
	if b, ok := r.Body.(*bodyReader); ok {
		b.limit = limit
	}
	return nil
}

// takePlace makes the request one of the uploads under way, if there is room. The caller
// gives the place back.
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
		w.wait() // the deadline of the answer before stands, on the same connection
		c.Response().Writer = w
		return next(c)
	}
}

// pace is how much of an answer is one piece, in bytes.
const pace = 256 << 10

// pacedWriter gives up on clients that don't read what they asked for: each piece of an answer has its time.
type pacedWriter struct {
	http.ResponseWriter
	conn  *http.ResponseController
	grace time.Duration
}

// wait begins the time of another piece.
func (w pacedWriter) wait() {
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.grace)) // where there are none, there is nobody to wait for
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

// leftError says that the client has closed the connection before it had the whole answer, as who wants only its
// beginning does.
type leftError struct{ error }

func (e leftError) Unwrap() error { return e.error }

// Unwrap is for http.ResponseController.
func (w pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
