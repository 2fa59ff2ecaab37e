package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// multipartFrame is what a multipart body may have beside its parts, in bytes.
const multipartFrame = 64 << 10

// readMultipart reads a submission in two parts, in any order: spec and program. The program
// streams to the work store as it comes.
func (s *Server) readMultipart(c echo.Context, id state.JobID) (spec state.Spec, artifact *state.Artifact, err error) {
	if err := allowBody(c, s.cfg.MaxSpec+s.cfg.MaxProgram+multipartFrame); err != nil {
		return spec, nil, err
	}
	giveBack, err := s.takePlace(c)
	if err != nil {
		return spec, nil, err
	}
	defer giveBack()
	parts, err := c.Request().MultipartReader()
	if err != nil {
		return spec, nil, newProblem(CodeInvalidRequest, "%w", err)
	}
	var haveSpec bool
	var fileName string
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return spec, artifact, framingProblem(err)
		}
		switch name := part.FormName(); {
		case name == "spec" && !haveSpec:
			haveSpec = true
			if spec, err = readSpec(bounded(framed{part}, s.cfg.MaxSpec)); err != nil {
				return spec, artifact, err
			}
		case name == "program" && artifact == nil:
			fileName = part.FileName()
			if artifact, err = s.storeProgram(c.Request().Context(), id, framed{part}); err != nil {
				return spec, nil, err
			}
		default:
			return spec, artifact, newProblem(CodeInvalidRequest, "the part named %.40q is one too many", name).
				hinted("send one part named spec and one named program")
		}
	}
	if !haveSpec {
		return spec, artifact, newProblem(CodeInvalidRequest, "the part named spec is missing")
	}
	// A client may have its own path in the spec. The file's name is what counts.
	if artifact != nil && (spec.Program == "" || strings.ContainsAny(spec.Program, "/\\")) && !isReference(spec.Program) {
		spec.Program = fileName
	}
	return spec, artifact, nil
}

// framed reads a part of a multipart body. Whatever goes wrong there is the client's fault.
type framed struct{ part *multipart.Part }

func (f framed) Read(p []byte) (int, error) {
	n, err := f.part.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = framingProblem(err)
	}
	return n, err
}

// framingProblem lets problems of the body through; the others are those of the framing.
func framingProblem(err error) error {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return newProblem(CodeInvalidRequest, "%w", err)
}

// bounded fails with a problem where more than limit bytes come from r.
func bounded(r io.Reader, limit int64) io.Reader {
	return &boundedReader{r: r, limit: limit, left: limit}
}

type boundedReader struct {
	r           io.Reader
	limit, left int64 // bytes
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, newProblem(CodeBodyTooLarge, "at most %d bytes are taken here", b.limit)
	}
	return n, err
}

// storeProgram streams a program's file to the work store, under a key of its own below the
// job's folder.
func (s *Server) storeProgram(ctx context.Context, id state.JobID, r io.Reader) (*state.Artifact, error) {
	key := s.layout(id).Program(string(controller.NewJobID()))
	w, err := s.work.Create(ctx, key)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), bounded(r, s.cfg.MaxProgram)); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	o, err := w.Commit()
	if err != nil {
		return nil, err
	}
	return &state.Artifact{Key: key, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: o.Size}, nil
}

// discardProgram removes the program of a job that did not come to be, also when its client
// has left.
func (s *Server) discardProgram(ctx context.Context, artifact *state.Artifact) error {
	return s.work.Delete(context.WithoutCancel(ctx), artifact.Key)
}

// isReference tells whether a spec's program is the URL of a file on the store.
func isReference(program string) bool { return strings.Contains(program, "://") }

// copyProgram takes a copy of the program at a URL, which may change or go while the job
// runs.
func (s *Server) copyProgram(ctx context.Context, id state.JobID, location string, who caller) (artifact *state.Artifact, err error) {
	u, err := s.places.readable(location, who)
	if err != nil {
		return nil, err
	}
	b, key, err := s.cfg.Open(ctx, u.String())
	if err != nil {
		return nil, err
	}
	o, err := b.Stat(ctx, key)
	if errors.Is(err, objstore.ErrNotFound) {
		return nil, newProblem(CodeInvalidSpec, "program %s: %w", u, err).hinted("PUT /v1/objects/{bucket}/{key} puts it there")
	}
	if err != nil {
		return nil, err
	}
	if o.Size > s.cfg.MaxProgram {
		return nil, newProblem(CodeBodyTooLarge, "program %s has %d bytes; at most %d are taken", u, o.Size, s.cfg.MaxProgram)
	}
	r, err := b.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return s.storeProgram(ctx, id, r)
}
