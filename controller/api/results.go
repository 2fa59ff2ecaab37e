package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// linkLife is how long a presigned link is good for.
const linkLife = time.Hour

// Link is a part of a job's output with a URL that anyone may read it by.
type Link struct {
	state.SuccessPart
	URL     string `json:"url"`
	Expires *Time  `json:"expires"`
}

// LinkList is the parts of a job's output, in order.
type LinkList struct {
	Parts []Link `json:"parts"`
}

// output is a job's published output.
type output struct {
	bucket objstore.Bucket
	prefix string
	parts  []state.SuccessPart // those that were asked for
}

func (o output) key(name string) string {
	return strings.TrimPrefix(path.Join(o.prefix, name), "/")
}

func (o output) bytes() (n int64) {
	for _, p := range o.parts {
		n += p.Bytes
	}
	return n
}

// getResults answers GET /v1/jobs/{id}/results.
func (s *Server) getResults(c echo.Context) error {
	out, err := s.wantedOutput(c)
	if err != nil {
		return err
	}
	return s.streamResults(c, out)
}

// wantedOutput opens the output of the job that the path names, or the part of it that the query does.
func (s *Server) wantedOutput(c echo.Context) (output, error) {
	job, err := s.job(c)
	if err != nil {
		return output{}, err
	}
	if job.State != state.Completed {
		return output{}, newProblem(CodeJobNotCompleted, "job %s is %s", job.ID, job.State)
	}
	out, err := s.openOutput(c.Request().Context(), job, callerOf(c))
	if err != nil {
		return output{}, err
	}
	if c.QueryParams().Has("part") {
		if len(out.parts) == 0 {
			return output{}, invalidQuery("part", "the output has no parts")
		}
		part, err := intParam(c, "part", 0, 0, len(out.parts)-1)
		if err != nil {
			return output{}, err
		}
		out.parts = out.parts[part : part+1]
	}
	return out, nil
}

// openOutput reads what the job wrote, and makes sure that it is still there. The caller must be allowed to read there
// now: the allow-list may have been another when the job was submitted. What says which parts there are may have been
// written by anybody.
func (s *Server) openOutput(ctx context.Context, job state.Job, who caller) (out output, err error) {
	spec, err := state.ParseSpec(job.Spec)
	if err != nil {
		return out, fmt.Errorf("read the spec of %s: %w", job.ID, hide(err))
	}
	if _, err := s.places.readable(asPrefix(spec.Output), who); err != nil {
		return out, err
	}
	if out.bucket, out.prefix, err = s.cfg.Open(ctx, spec.Output); err != nil {
		return out, err
	}
	r, err := out.bucket.Get(ctx, out.key(state.SuccessName), 0, -1)
	if errors.Is(err, objstore.ErrNotFound) {
		return out, newProblem(CodeOutputChanged, "%s is gone", spec.Output)
	}
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = state.ReadSuccess(r, job.ID, job.Parts(), func(p state.SuccessPart) error {
		out.parts = append(out.parts, p)
		return nil
	})
	if errors.Is(err, state.ErrNoSuccess) {
		return out, newProblem(CodeOutputChanged, "%s is not what job %s wrote", spec.Output, job.ID)
	}
	return out, err
}

// asPrefix names all that is below a folder.
func asPrefix(folder string) string { return strings.TrimSuffix(folder, "/") + "/" }

// getResultLinks answers GET /v1/jobs/{id}/results/links.
func (s *Server) getResultLinks(c echo.Context) error {
	out, err := s.wantedOutput(c)
	if err != nil {
		return err
	}
	if s.cfg.Presign == nil {
		return newProblem(CodeNotConfigured, "presigned links are not set up")
	}
	list := LinkList{Parts: []Link{}}
	expires := time.Now().Add(linkLife)
	for _, p := range out.parts {
		url, err := s.cfg.Presign(c.Request().Context(), http.MethodGet, out.bucket.URL()+"/"+out.key(p.Name), linkLife)
		if err != nil {
			return err
		}
		list.Parts = append(list.Parts, Link{SuccessPart: p, URL: url, Expires: at(expires)})
	}
	s.audit.done(c, "links made", "method", http.MethodGet, "output", out.bucket.URL()+"/"+out.prefix, "links", len(list.Parts))
	return c.JSON(http.StatusOK, list)
}

// streamResults writes the parts one after the other. An error before the first byte is
// answered, one after it breaks the connection.
func (s *Server) streamResults(c echo.Context, out output) error {
	ctx := c.Request().Context()
	begin := func() {
		header := c.Response().Header()
		header.Set(echo.HeaderContentType, echo.MIMEOctetStream)
		header.Set(echo.HeaderContentLength, strconv.FormatInt(out.bytes(), 10))
		c.Response().WriteHeader(http.StatusOK)
	}
	if c.Request().Method == http.MethodHead {
		begin()
		return nil
	}
	w := c.Response()
	for _, p := range out.parts {
		r, err := out.bucket.Get(ctx, out.key(p.Name), 0, -1)
		if errors.Is(err, objstore.ErrNotFound) {
			err = newProblem(CodeOutputChanged, "%s is gone", p.Name)
		}
		if err != nil && !c.Response().Committed {
			return err
		}
		if err == nil {
			if !c.Response().Committed {
				begin()
			}
			err = errors.Join(copyPart(w, r, p), r.Close())
		}
		if err != nil {
			s.brokenAnswer(c, err)
		}
	}
	if !c.Response().Committed {
		begin() // no parts
	}
	return nil
}

// copyPart copies a part and checks it. The last byte goes out only when all of them were
// right, so that a client never has the whole of something else.
func copyPart(w io.Writer, r io.Reader, p state.SuccessPart) error {
	sum := xxhash.New()
	r = io.TeeReader(r, sum)
	if p.Bytes > 1 {
		if _, err := io.CopyN(w, r, p.Bytes-1); err != nil {
			return fmt.Errorf("copy %s: %w", p.Name, err)
		}
	}
	last, err := io.ReadAll(io.LimitReader(r, 2))
	if err != nil {
		return fmt.Errorf("copy %s: %w", p.Name, err)
	}
	if got := fmt.Sprintf("xxh64:%016x", sum.Sum64()); int64(len(last)) != min(p.Bytes, 1) || got != p.Checksum {
		return fmt.Errorf("copy %s: it is not what the job wrote: checksum %s, want %s", p.Name, got, p.Checksum)
	}
	if _, err := w.Write(last); err != nil {
		return fmt.Errorf("copy %s: %w", p.Name, err)
	}
	return nil
}
