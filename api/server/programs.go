package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// multipartFrame is what a multipart body may have beside its parts, in bytes.
const multipartFrame = 64 << 10

// parcel is what came along with a spec, on the work store.
type parcel struct {
	program  *job.Artifact // nil: none
	fileName string        // of the program, at the client
	files    []job.ProgramFile
}

// size is how many bytes it has.
func (p *parcel) size() (n int64) {
	if p.program != nil {
		n = p.program.Size
	}
	for _, f := range p.files {
		n += f.Artifact.Size
	}
	return n
}

// readMultipart reads a submission in parts, in any order: spec, and perhaps program and any number of files. They
// stream to the work store as they come.
func (s *Server) readMultipart(c echo.Context, id job.ID) (spec job.Spec, sent parcel, err error) {
	if err := allowBody(c, overfull*s.cfg.MaxSpec+s.cfg.MaxProgram+multipartFrame); err != nil {
		return spec, sent, err
	}
	giveBack, err := s.takePlace(c)
	if err != nil {
		return spec, sent, err
	}
	defer giveBack()
	parts, err := c.Request().MultipartReader()
	if err != nil {
		return spec, sent, newProblem(api.CodeInvalidRequest, "%w", err)
	}
	var haveSpec bool
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return spec, sent, framingProblem(err)
		}
		if err := checkCoding(c, part.Header.Get(echo.HeaderContentEncoding)); err != nil {
			return spec, sent, err
		}
		switch name := part.FormName(); {
		case name == "spec" && !haveSpec:
			haveSpec = true
			if _, err := mediaType(part.Header.Get(echo.HeaderContentType)); err != nil {
				return spec, sent, err
			}
			if spec, err = readSpec(boundedSpec(framed{part}, s.cfg.MaxSpec), s.cfg.MaxSpec); err != nil {
				return spec, sent, err
			}
		case name == "program" && sent.program == nil:
			sent.fileName = part.FileName()
			if sent.program, err = s.storeProgram(c.Request().Context(), id, &sent, framed{part}); err != nil {
				return spec, sent, err
			}
		case name == "file" && len(sent.files) < job.MaxProgramFiles:
			file := job.ProgramFile{Name: fileName(part)}
			if !job.ProgramFileName(file.Name) {
				return spec, sent, newProblem(api.CodeInvalidRequest, "%.80q can't be the name of a program file", file.Name).
					WithHint("the part's file name is where the file stands: a path without .. that does not begin with /")
			}
			if file.Artifact, err = s.storeProgram(c.Request().Context(), id, &sent, framed{part}); err != nil {
				return spec, sent, err
			}
			sent.files = append(sent.files, file)
		default:
			return spec, sent, newProblem(api.CodeInvalidRequest, "the part named %.40q is one too many", name).
				WithHint(fmt.Sprintf("send one part named spec, at most one named program, and up to %d named file", job.MaxProgramFiles))
		}
	}
	if !haveSpec {
		return spec, sent, newProblem(api.CodeInvalidRequest, "the part named spec is missing")
	}
	// A client may have its own path in the spec. The file's name is what counts.
	if sent.program != nil && (spec.Program == "" || strings.ContainsAny(spec.Program, "/\\")) && !isReference(spec.Program) {
		spec.Program = sent.fileName
	}
	return spec, sent, nil
}

// fileName is a part's file name with its folders, which multipart.Part leaves out.
func fileName(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	if path.IsAbs(params["filename"]) { // a client's own path
		return part.FileName()
	}
	return params["filename"]
}

// addressFiles gives the spec's program files those that were sent, by their names, and a copy of those
// that it names by URL; what was sent beyond is added. Each copy is noted in sent at once, for it
// must be discarded if there is no job.
func (s *Server) addressFiles(ctx context.Context, id job.ID, spec *job.Spec, sent *parcel, who caller) error {
	came := map[string]*job.Artifact{}
	for _, f := range sent.files {
		if came[f.Name] != nil {
			return newProblem(api.CodeInvalidRequest, "two parts named file have the file name %.80q", f.Name)
		}
		came[f.Name] = f.Artifact
	}
	for i := range spec.ProgramFiles {
		f := &spec.ProgramFiles[i]
		switch {
		case came[f.Name] != nil:
			f.Artifact = came[f.Name]
			delete(came, f.Name)
		case isReference(f.Source):
			var err error
			if f.Artifact, err = s.copyProgram(ctx, id, sent, f.Source, who); err != nil {
				return err
			}
			sent.files = append(sent.files, *f)
		default:
			return newProblem(api.CodeInvalidSpec, "the program file %.80q did not come along", f.Name).
				WithHint("send it as a part named file with that file name, or put it on the store and name it by URL")
		}
		f.Source = ""
	}
	for _, f := range sent.files {
		if came[f.Name] != nil {
			spec.ProgramFiles = append(spec.ProgramFiles, f)
		}
	}
	return nil
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
	var p *api.Problem
	if errors.As(err, &p) {
		return p
	}
	return newProblem(api.CodeInvalidRequest, "%w", err)
}

// boundedSpec fails with a problem where a spec is too large to be read.
func boundedSpec(r io.Reader, limit int64) io.Reader {
	return &boundedReader{r: io.LimitReader(r, overfull*limit+1), left: overfull * limit, problem: largeSpec(limit)}
}

// boundedReader fails with a problem when more bytes come than it may read.
type boundedReader struct {
	r       io.Reader
	left    int64 // bytes
	problem error
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.problem
	}
	return n, err
}

// largeSpec is the problem with a spec that has more bytes than the limit.
func largeSpec(limit int64) error {
	return newProblem(api.CodeInvalidSpec, "a job spec has at most %d bytes, and this one has more", limit).WithHint(problems[api.CodeBodyTooLarge].hint)
}

// storeProgram streams a program's file to the work store, under a key of its own below the
// job's folder, if there is room for it beside what came along already.
func (s *Server) storeProgram(ctx context.Context, id job.ID, sent *parcel, r io.Reader) (*job.Artifact, error) {
	key := s.layout(id).Program(string(controller.NewJobID()))
	w, err := s.work.Create(ctx, key)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	bounded := &boundedReader{
		r: r, left: s.cfg.MaxProgram - sent.size(), problem: newProblem(api.CodeBodyTooLarge, "at most %d bytes are taken here", s.cfg.MaxProgram),
	}
	if _, err := io.Copy(io.MultiWriter(w, sum), bounded); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	o, err := w.Commit()
	if err != nil {
		return nil, err
	}
	return &job.Artifact{Key: key, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: o.Size}, nil
}

// discard removes what came for a job that did not come to be, also when its client has left.
func (s *Server) discard(ctx context.Context, sent parcel) (err error) {
	ctx = context.WithoutCancel(ctx)
	if sent.program != nil {
		err = s.work.Delete(ctx, sent.program.Key)
	}
	for _, f := range sent.files {
		err = errors.Join(err, s.work.Delete(ctx, f.Artifact.Key))
	}
	return err
}

// isReference tells whether a spec's program is the URL of a file on the store.
func isReference(program string) bool { return strings.Contains(program, "://") }

// copyProgram takes a copy of the program at a URL, which may change or go while the job
// runs.
func (s *Server) copyProgram(ctx context.Context, id job.ID, sent *parcel, location string, who caller) (artifact *job.Artifact, err error) {
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
		return nil, newProblem(api.CodeInvalidSpec, "program %s: %w", u, err).WithHint("PUT /v1/objects/{bucket}/{key} puts it there")
	}
	if err != nil {
		return nil, err
	}
	if o.Size > s.cfg.MaxProgram-sent.size() {
		return nil, newProblem(api.CodeBodyTooLarge, "program %s has %d bytes; at most %d are taken, of a program with all its files", u, o.Size, s.cfg.MaxProgram)
	}
	r, err := b.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return s.storeProgram(ctx, id, sent, r)
}
