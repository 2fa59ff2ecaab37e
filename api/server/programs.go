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
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// multipartFrame is how many bytes a multipart body may have besides its parts.
const multipartFrame = 64 << 10

// parcel is what came with a spec, on the work store.
type parcel struct {
	program  *job.Artifact // nil: none
	fileName string        // of the program, at the client
	files    []job.ProgramFile
}

// size is the total size of the files.
func (p *parcel) size() (n int64) {
	if p.program != nil {
		n = p.program.Size
	}
	for _, f := range p.files {
		n += f.Artifact.Size
	}
	return n
}

// readParts reads a submission in parts, in any order: spec, and perhaps program and any number of
// files. Files stream to the work store as they come.
func (s *submission) readParts(ctx context.Context) error {
	if err := allowBody(s.c, overfull*s.cfg.MaxSpec+s.cfg.MaxProgram+multipartFrame); err != nil {
		return err
	}
	giveBack, err := s.takePlace(s.c)
	if err != nil {
		return err
	}
	defer giveBack()
	parts, err := s.c.Request().MultipartReader()
	if err != nil {
		return newProblem(api.CodeInvalidRequest, "%w", err)
	}
	haveSpec := false
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return framingProblem(err)
		}
		if err := checkCoding(s.c, part.Header.Get(echo.HeaderContentEncoding)); err != nil {
			return err
		}
		switch name := part.FormName(); {
		case name == "spec" && !haveSpec:
			haveSpec = true
			err = s.readSpecPart(part)
		case name == "program" && s.sent.program == nil:
			s.sent.fileName = part.FileName()
			s.sent.program, err = s.storeProgram(ctx, framed{part})
		case name == "file" && len(s.sent.files) < job.MaxProgramFiles:
			err = s.readFilePart(ctx, part)
		default:
			err = newProblem(api.CodeInvalidRequest, "unexpected part %.40q", name).
				WithHint(fmt.Sprintf("send one part named spec, at most one named program, and up to %d named file", job.MaxProgramFiles))
		}
		if err != nil {
			return err
		}
	}
	if !haveSpec {
		return newProblem(api.CodeInvalidRequest, "the part named spec is missing")
	}
	// A spec may have the path on the client's machine. The file's name counts.
	if s.sent.program != nil && (s.spec.Program == "" || strings.ContainsAny(s.spec.Program, "/\\")) && !isReference(s.spec.Program) {
		s.spec.Program = s.sent.fileName
	}
	return nil
}

func (s *submission) readSpecPart(part *multipart.Part) (err error) {
	if _, err := mediaType(part.Header.Get(echo.HeaderContentType)); err != nil {
		return err
	}
	s.spec, err = readSpec(boundedSpec(framed{part}, s.cfg.MaxSpec), s.cfg.MaxSpec)
	return err
}

// readFilePart stores a program file.
func (s *submission) readFilePart(ctx context.Context, part *multipart.Part) (err error) {
	file := job.ProgramFile{Name: fileName(part)}
	if !job.ProgramFileName(file.Name) {
		return newProblem(api.CodeInvalidRequest, "%.80q is not a valid name of a program file", file.Name).
			WithHint("the part's file name is the file's path: without .. and not beginning with /")
	}
	if file.Artifact, err = s.storeProgram(ctx, framed{part}); err != nil {
		return err
	}
	s.sent.files = append(s.sent.files, file)
	return nil
}

// fileName is a part's file name with its folders, which multipart.Part drops.
func fileName(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	if path.IsAbs(params["filename"]) { // a path on the client's machine
		return part.FileName()
	}
	return params["filename"]
}

// addFiles gives the spec its program and its program files: those that were sent, by their names,
// and copies of those that the spec names by URL. Files that were sent beyond those in the spec are
// added. Each copy is noted in sent at once, because it must be discarded if no job is made.
func (s *submission) addFiles(ctx context.Context) (err error) {
	if s.sent.program == nil && isReference(s.spec.Program) {
		if s.sent.program, err = s.copyProgram(ctx, s.spec.Program); err != nil {
			return err
		}
		s.spec.Program = s.spec.Program[strings.LastIndexByte(s.spec.Program, '/')+1:]
	}
	s.spec.Artifact = s.sent.program
	came := map[string]*job.Artifact{}
	for _, f := range s.sent.files {
		if came[f.Name] != nil {
			return newProblem(api.CodeInvalidRequest, "two parts named file have the file name %.80q", f.Name)
		}
		came[f.Name] = f.Artifact
	}
	for i := range s.spec.ProgramFiles {
		f := &s.spec.ProgramFiles[i]
		switch {
		case came[f.Name] != nil:
			f.Artifact = came[f.Name]
			delete(came, f.Name)
		case isReference(f.Source):
			if f.Artifact, err = s.copyProgram(ctx, f.Source); err != nil {
				return err
			}
			s.sent.files = append(s.sent.files, *f)
		default:
			return newProblem(api.CodeInvalidSpec, "the program file %.80q was not uploaded", f.Name).
				WithHint("send it as a part named file with that file name, or put it on the store and name it by URL")
		}
		f.Source = ""
	}
	for _, f := range s.sent.files {
		if came[f.Name] != nil {
			s.spec.ProgramFiles = append(s.spec.ProgramFiles, f)
		}
	}
	return nil
}

// framed reads a part of a multipart body. All its errors are the client's fault.
type framed struct{ part *multipart.Part }

func (f framed) Read(p []byte) (int, error) {
	n, err := f.part.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = framingProblem(err)
	}
	return n, err
}

// framingProblem returns problems of the body as they are; other errors are those of the multipart
// framing.
func framingProblem(err error) error {
	var p *api.Problem
	if errors.As(err, &p) {
		return p
	}
	return newProblem(api.CodeInvalidRequest, "%w", err)
}

// boundedSpec fails with a problem if a spec is too large to be read.
func boundedSpec(r io.Reader, limit int64) io.Reader {
	return &boundedReader{r: io.LimitReader(r, overfull*limit+1), left: overfull * limit, problem: largeSpec(limit)}
}

// boundedReader fails with a problem when there are more bytes than it may read.
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

// largeSpec is the problem of a spec with more bytes than the limit.
func largeSpec(limit int64) error {
	return newProblem(api.CodeInvalidSpec, "the job spec has more than %d bytes", limit).WithHint(problems[api.CodeBodyTooLarge].hint)
}

// storeProgram streams a file of the program to the work store, under a new key below the job's
// folder, if it fits beside the files that were stored already.
func (s *submission) storeProgram(ctx context.Context, r io.Reader) (*job.Artifact, error) {
	key := s.layout(s.id).Program(string(job.NewID()))
	w, err := s.work.Create(ctx, key)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	bounded := &boundedReader{
		r: r, left: s.cfg.MaxProgram - s.sent.size(), problem: newProblem(api.CodeBodyTooLarge, "the body may have at most %d bytes here", s.cfg.MaxProgram),
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

// discard removes the files that came for a job that was not made, also if the client has left.
func (s *submission) discard(ctx context.Context) (err error) {
	ctx = context.WithoutCancel(ctx)
	if s.sent.program != nil {
		err = s.work.Delete(ctx, s.sent.program.Key)
	}
	for _, f := range s.sent.files {
		err = errors.Join(err, s.work.Delete(ctx, f.Artifact.Key))
	}
	return err
}

// isReference reports whether a spec's program is the URL of a file on the store.
func isReference(program string) bool { return strings.Contains(program, "://") }

// copyProgram copies the file at a URL, which may change or go while the job runs.
func (s *submission) copyProgram(ctx context.Context, location string) (artifact *job.Artifact, err error) {
	u, err := s.places.readable(location, s.who)
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
	if o.Size > s.cfg.MaxProgram-s.sent.size() {
		return nil, newProblem(api.CodeBodyTooLarge, "program %s has %d bytes; a program with all its files may have at most %d", u, o.Size, s.cfg.MaxProgram)
	}
	r, err := b.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return s.storeProgram(ctx, r)
}
