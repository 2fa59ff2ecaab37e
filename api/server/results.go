package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// linkLife is how long a presigned link is valid.
const linkLife = time.Hour

// maxPart is the highest number of a part.
const maxPart = 9_999_999

// output is a job's published output.
type output struct {
	bucket objstore.Bucket
	prefix string
	parts  []layout.SuccessPart // the requested ones
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
	id := job.ID(c.Param("id"))
	c.Response().Header().Set("ETag", out.etag(id))
	size := out.bytes()
	return s.serveContent(c, fmt.Sprintf("the output of job %s", id), size, time.Time{}, &outputReader{ctx: c.Request().Context(), out: out, size: size, end: size})
}

// wantedOutput opens the output of the job in the request's path, or the part of it in the query.
func (s *Server) wantedOutput(c echo.Context) (output, error) {
	wanted, err := intParam(c, "part", -1, 0, maxPart)
	if err != nil {
		return output{}, err
	}
	j, err := s.job(c)
	if err != nil {
		return output{}, err
	}
	if j.State != job.Completed {
		return output{}, newProblem(api.CodeJobNotCompleted, "job %s is %s", j.ID, j.State)
	}
	out, err := s.openOutput(c.Request().Context(), j, callerOf(c))
	if err != nil {
		return output{}, err
	}
	if wanted >= len(out.parts) {
		return output{}, newProblem(api.CodePartNotFound, "the output of job %s has %d parts, and none has the number %d", j.ID, len(out.parts), wanted)
	}
	if wanted >= 0 {
		out.parts = out.parts[wanted : wanted+1]
	}
	return out, nil
}

// openOutput reads which parts the job wrote, and makes sure that they are still listed. The caller
// must be allowed to read there now: when the job was submitted, the allow-list may have been
// different. The list of the parts is not trusted, because anybody may have written it.
func (s *Server) openOutput(ctx context.Context, job state.Job, who caller) (out output, err error) {
	spec, err := specOf(job)
	if err != nil {
		return out, err
	}
	if _, err := s.places.readable(asPrefix(spec.Output), who); err != nil {
		return out, err
	}
	if out.bucket, out.prefix, err = s.cfg.Open(ctx, spec.Output); err != nil {
		return out, err
	}
	r, err := out.bucket.Get(ctx, out.key(layout.SuccessName), 0, -1)
	if errors.Is(err, objstore.ErrNotFound) {
		return out, newProblem(api.CodeOutputChanged, "%s is gone", spec.Output)
	}
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = layout.ReadSuccess(r, job.ID, job.Parts(), func(p layout.SuccessPart) error {
		out.parts = append(out.parts, p)
		return nil
	})
	if errors.Is(err, layout.ErrNoSuccess) {
		return out, newProblem(api.CodeOutputChanged, "%s is not what job %s wrote", spec.Output, job.ID)
	}
	return out, err
}

// asPrefix is the prefix of everything below a folder.
func asPrefix(folder string) string { return strings.TrimSuffix(folder, "/") + "/" }

// getResultLinks answers GET /v1/jobs/{id}/results/links.
func (s *Server) getResultLinks(c echo.Context) error {
	out, err := s.wantedOutput(c)
	if err != nil {
		return err
	}
	if s.cfg.Presign == nil {
		return newProblem(api.CodeNotConfigured, "presigned links are not set up")
	}
	list := api.LinkList{Parts: []api.Link{}}
	expires := time.Now().Add(linkLife)
	for _, p := range out.parts {
		url, err := s.cfg.Presign(c.Request().Context(), http.MethodGet, out.bucket.URL()+"/"+out.key(p.Name), linkLife)
		if err != nil {
			return err
		}
		list.Parts = append(list.Parts, api.Link{SuccessPart: p, URL: url, Expires: api.TimeOf(expires)})
	}
	s.audit.done(c, "links created", "method", http.MethodGet, "output", out.bucket.URL()+"/"+out.prefix, "links", len(list.Parts))
	return c.JSON(http.StatusOK, list)
}
