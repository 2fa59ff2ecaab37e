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

// content is the source of an answer that can be read from any offset. It keeps the errors of its
// reads, because package http drops them.
type content interface {
	io.ReadSeeker
	// expect is called before the first Read with how many bytes will be read.
	expect(n int64)
	// failed returns the error of a Read, except io.EOF.
	failed() error
	close()
}

// serveContent answers a request for size bytes, or for a range of them, under the conditions of
// the request. An error before the first byte is answered; a later one breaks the connection.
func (s *Server) serveContent(c echo.Context, name string, size int64, modified time.Time, from content) error {
	defer from.close()
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, echo.MIMEOctetStream) // always, so that no browser runs it
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
		err = newProblem(api.CodePrecondition, "%s does not meet the condition of the request", name)
	case w.status == http.StatusRequestedRangeNotSatisfiable:
		err = newProblem(api.CodeRange, "%s has %d bytes", name, size)
	case err == nil:
		w.begin() // the content is empty
		return nil
	}
	for _, of := range []string{"ETag", "Last-Modified", "Accept-Ranges"} {
		header.Del(of) // of the content
	}
	if w.status != http.StatusRequestedRangeNotSatisfiable {
		header.Del("Content-Range")
	}
	return err
}

// contentWriter delays the header until the first byte is there. It drops package http's answers to
// failed conditions and ranges: problems say these.
type contentWriter struct {
	http.ResponseWriter
	from   content
	status int
	begun  bool // the header is written
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

// byteRange is one range in the header of a request.
var byteRange = regexp.MustCompile(`^(?i:bytes)=[ \t]*([0-9]*)-([0-9]*)[ \t]*$`)

// oneRange returns the range that a request asks for, in the form for package http; "" if there is
// none, or it is ignored. Several ranges, other units and malformed ranges are ignored, as RFC 9110
// allows and stores do: each range would be a request to the store. So are ranges of HEAD, and
// empty ranges, which no Content-Range can name.
func oneRange(r *http.Request, size int64) string {
	const digits = 18 // of a number that fits into 64 bits
	wanted := byteRange.FindStringSubmatch(strings.Join(r.Header.Values("Range"), ","))
	if wanted == nil || r.Method != http.MethodGet || size == 0 || wanted[1] == "" && wanted[2] == "" {
		return ""
	}
	first, last := strings.TrimLeft(wanted[1], "0"), strings.TrimLeft(wanted[2], "0")
	if wanted[1] == "" { // the last bytes
		switch {
		case last == "":
			return fmt.Sprintf("bytes=%d-", size) // no bytes: beyond the end
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
