package server

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
)

// content is what can be read from any place on. Package http drops the errors of its reads, so that it keeps them.
type content interface {
	io.ReadSeeker
	// expect says how many bytes will be read from here on, before the first of them is.
	expect(n int64)
	// failed is the error of a Read.
	failed() error
	close()
}

// serveContent answers a request for size bytes, or for a range of them, under the conditions that the request has.
// An error before the first byte is answered; one after it breaks the connection.
func (s *Server) serveContent(c echo.Context, name string, size int64, modified time.Time, from content) error {
	defer from.close()
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, echo.MIMEOctetStream) // whatever it is: nothing that a browser runs
	r := c.Request().Clone(c.Request().Context())
	if wanted := oneRange(r, size); wanted == "" {
		r.Header.Del("Range")
	} else {
		r.Header.Set("Range", wanted)
	}
	w := &contentWriter{ResponseWriter: c.Response(), from: from}
	http.ServeContent(w, r, "", modified, from)
	err := from.failed()
	switch {
	case err != nil && w.begun:
		s.brokenAnswer(c, err)
	case w.status == http.StatusPreconditionFailed:
		err = newProblem(api.CodePrecondition, "%s is not as the request wants it", name)
	case w.status == http.StatusRequestedRangeNotSatisfiable:
		err = newProblem(api.CodeRange, "%s has %d bytes", name, size)
	case err == nil:
		w.begin() // there was nothing to write
		return nil
	}
	for _, of := range []string{"ETag", "Last-Modified", "Accept-Ranges"} {
		header.Del(of) // they are those of the content
	}
	if w.status != http.StatusRequestedRangeNotSatisfiable {
		header.Del("Content-Range")
	}
	return err
}

// contentWriter keeps the header back until there is a byte to follow it, and leaves it to problems to say that a
// condition does not hold, or that a range is not there.
type contentWriter struct {
	http.ResponseWriter
	from   content
	status int
	begun  bool // the header is out
}

func (w *contentWriter) WriteHeader(status int) {
	w.status = status
	if n, err := strconv.ParseInt(w.Header().Get(echo.HeaderContentLength), 10, 64); err == nil && !w.refused() {
		w.from.expect(n)
	}
}

func (w *contentWriter) refused() bool {
	return w.status == http.StatusPreconditionFailed || w.status == http.StatusRequestedRangeNotSatisfiable
}

func (w *contentWriter) begin() {
	if !w.begun {
		w.begun = true
		w.ResponseWriter.WriteHeader(w.status)
	}
}

func (w *contentWriter) Write(p []byte) (int, error) {
	if w.refused() {
		return len(p), nil
	}
	w.begin()
	return w.ResponseWriter.Write(p)
}

// byteRange is one range as a request writes it.
var byteRange = regexp.MustCompile(`^(?i:bytes)=[ \t]*([0-9]*)-([0-9]*)[ \t]*$`)

// oneRange is the range that a request asks for, as package http takes it; "" if there is none to be heeded. Several
// ranges, other units and malformed ones are ignored, as RFC 9110 allows and stores do: each range would be a request
// to the store. So is a range in HEAD, and one of nothing, which no Content-Range could name.
func oneRange(r *http.Request, size int64) string {
	const digits = 18 // of a number that fits
	wanted := byteRange.FindStringSubmatch(strings.Join(r.Header.Values("Range"), ","))
	if wanted == nil || r.Method != http.MethodGet || size == 0 || wanted[1] == "" && wanted[2] == "" {
		return ""
	}
	first, last := strings.TrimLeft(wanted[1], "0"), strings.TrimLeft(wanted[2], "0")
	if wanted[1] == "" { // that many at the end
		switch {
		case last == "":
			return fmt.Sprintf("bytes=%d-", size) // none of them: behind the end
		case len(last) > digits:
			return "bytes=0-"
		}
		return "bytes=-" + last
	}
	switch {
	case wanted[1] != "" && wanted[2] != "" && (len(last) < len(first) || len(last) == len(first) && last < first):
		return "" // it ends before it begins
	case len(first) > digits:
		return fmt.Sprintf("bytes=%d-", size)
	case wanted[2] == "" || len(last) > digits:
		return "bytes=0" + first + "-"
	}
	return "bytes=0" + first + "-0" + last
}
