package server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"
	"go.yaml.in/yaml/v3"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/state"
)

// headerIdempotencyKey makes a submission repeatable: one key of one caller always names the same
// job.
const headerIdempotencyKey = "Idempotency-Key"

// maxIdempotencyKey is the longest key, in bytes.
const maxIdempotencyKey = 256

// submission is a job on its way to be submitted: the caller, the spec, and the files that came
// with it.
type submission struct {
	*Server
	c    echo.Context // of the request
	id   job.ID
	who  caller
	spec job.Spec
	sent parcel
}

// submitJob answers POST /v1/jobs. A program is on the work store, under a key that no other
// request uses, before its job is created. It is removed again if the job certainly is not.
func (s *Server) submitJob(c echo.Context) (err error) {
	if s.cfg.Submit == nil {
		return newProblem(api.CodeNotConfigured, "submitting jobs is not set up")
	}
	ctx := c.Request().Context()
	id, err := jobIDFor(c)
	if err != nil {
		return err
	}
	sub := &submission{Server: s, c: c, id: id, who: callerOf(c)}
	keep := false
	defer func() {
		if !keep {
			err = errors.Join(err, sub.discard(ctx))
		}
	}()
	for _, do := range []func(context.Context) error{sub.read, sub.check, sub.addFiles, sub.complete} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	made, j, err := sub.create(ctx)
	var refusal *api.Problem
	keep = made.ours || err != nil && !errors.As(err, &refusal) // Redis may have made the job, and the answer was lost
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderLocation, "/v1/jobs/"+string(id))
	if !made.now {
		return c.JSON(http.StatusOK, api.Submitted{ID: id, State: j.State})
	}
	s.audit.done(c, "job submitted", "job", id, "name", sub.spec.Name, "program", sub.spec.Program)
	return c.JSON(http.StatusCreated, api.Submitted{ID: id, State: job.Submitted})
}

// jobIDFor returns the id that belongs to the caller's idempotency key, or a new id.
func jobIDFor(c echo.Context) (job.ID, error) {
	keys := c.Request().Header.Values(headerIdempotencyKey)
	if len(keys) > 1 {
		return "", newProblem(api.CodeInvalidRequest, "the %s is given %d times", headerIdempotencyKey, len(keys))
	}
	key := strings.Join(keys, "")
	if key == "" {
		return job.NewID(), nil
	}
	if len(key) > maxIdempotencyKey {
		return "", newProblem(api.CodeInvalidRequest, "the %s has %d bytes; at most %d are allowed", headerIdempotencyKey, len(key), maxIdempotencyKey)
	}
	return keyedID(callerOf(c).name, key), nil
}

// keyedID is the id that belongs to a caller's idempotency key. It is like any other: if the key is
// a ULID, as our client's keys are, the id has its time.
func keyedID(who, key string) job.ID {
	var id ulid.ULID
	sum := sha256.Sum256([]byte(who + "\x00" + key))
	copy(id[:], sum[:])
	if made, err := ulid.ParseStrict(strings.ToUpper(key)); err == nil {
		copy(id[:6], made[:6])
	}
	return job.ID(strings.ToLower(id.String()))
}

// read reads the spec and, from a multipart body, stores the files that come with it. It may have
// stored some also if it fails.
func (s *submission) read(ctx context.Context) error {
	kind, err := mediaType(s.c.Request().Header.Get(echo.HeaderContentType))
	if err != nil {
		return err
	}
	switch kind {
	case "multipart/form-data":
		return s.readParts(ctx)
	case "", "application/x-www-form-urlencoded", // curl's default for --data
		"application/json", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml":
		if err := allowBody(s.c, overfull*s.cfg.MaxSpec+1); err != nil {
			return largeSpec(s.cfg.MaxSpec)
		}
		s.spec, err = readSpec(boundedSpec(s.c.Request().Body, s.cfg.MaxSpec), s.cfg.MaxSpec)
		return err
	}
	return newProblem(api.CodeMediaType, "content type %q", kind)
}

// mediaType returns the media type of a body without its parameters; "" if the header is empty. It
// refuses charsets other than UTF-8.
func mediaType(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	kind, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", newProblem(api.CodeMediaType, "content type %q: %w", header, err)
	}
	if charset := strings.ToLower(params["charset"]); charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii" {
		return "", newProblem(api.CodeMediaType, "the charset %.40q is not supported", charset).WithHint("send text as UTF-8")
	}
	return kind, nil
}

// overfull is how many times the limit of a spec is read: then the answer can say why a spec is a
// little too large.
const overfull = 4

// readSpec reads a spec of at most most bytes.
func readSpec(r io.Reader, most int64) (job.Spec, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return job.Spec{}, err
	}
	if !utf8.Valid(text) {
		return job.Spec{}, newProblem(api.CodeInvalidSpec, "the job spec is not UTF-8")
	}
	spec, err := jobfile.Parse(text)
	if err != nil {
		return job.Spec{}, newProblem(api.CodeInvalidSpec, "%w", err)
	}
	if name := nullField(text); name != "" {
		return job.Spec{}, newProblem(api.CodeInvalidSpec, "%.80s is null", name).WithHint("leave out fields that have no value")
	}
	if int64(len(text)) > most {
		if err := spec.CheckLimits(); err != nil {
			return job.Spec{}, newProblem(api.CodeInvalidSpec, "%w", err).WithHint(problems[api.CodeBodyTooLarge].hint)
		}
		return job.Spec{}, largeSpec(most)
	}
	sent := spec.Artifact != nil
	for _, f := range spec.ProgramFiles {
		sent = sent || f.Artifact != nil
	}
	if sent {
		return job.Spec{}, newProblem(api.CodeInvalidSpec, "artifact is set by the server").
			WithHint("send the program as the part named program, or put it on the store and name it by URL in the field program")
	}
	return spec, nil
}

// nullField returns the name of a field of a spec that is null; "" if there is none. A job file may
// have such fields; a request with one has most likely lost a value.
func nullField(text []byte) string {
	fields := map[string]any{}
	var err error
	if text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))); bytes.HasPrefix(text, []byte("{")) {
		err = json.Unmarshal(text, &fields)
	} else {
		err = yaml.Unmarshal(text, &fields)
	}
	if err != nil {
		return "" // jobfile.Parse could read it: the two parsers differ
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] == nil {
			return name
		}
	}
	return ""
}

// creation is the result of a submission.
type creation struct {
	now  bool // this request made the job
	ours bool // the job has this request's files: they must stay
}

// create creates the job, or finds that it was created before from the same spec.
func (s *submission) create(ctx context.Context) (made creation, j state.Job, err error) {
	j, err = s.cfg.Jobs.Job(ctx, s.id)
	if errors.Is(err, state.ErrNoJob) {
		if err := s.admit(ctx, s.c, s.who.name, s.id); err != nil {
			return creation{}, j, err
		}
		made.now, err = s.cfg.Submit(ctx, s.who.name, s.id, s.spec)
		if err == nil {
			// The job has exactly this spec and these files, even if another request with the same
			// key, or one of ours whose answer was lost, created it.
			made.ours = true
			return made, state.Job{ID: s.id, State: job.Submitted}, nil
		}
		if !errors.Is(err, state.ErrExists) {
			return creation{}, j, err
		}
		// The same key was used at the same time.
		j, err = s.cfg.Jobs.Job(ctx, s.id)
	}
	if err != nil {
		return creation{}, j, err
	}
	before, err := specOf(j)
	if err != nil {
		return creation{}, j, err
	}
	if !sameSpec(before, s.spec) {
		return creation{}, j, newProblem(api.CodeJobConflict, "job %s has another spec", s.id)
	}
	if j.State.Terminal() {
		return creation{}, j, nil
	}
	// Again, exactly as before: the first submission may have stopped between its steps.
	_, err = s.cfg.Store.SubmitFor(ctx, j.SubmittedBy, s.id, j.Name, j.Priority, j.Spec)
	return creation{}, j, err
}

// sameSpec reports whether two specs ask for the same, wherever their programs are.
func sameSpec(a, b job.Spec) bool {
	one, errOne := canonical(a)
	other, errOther := canonical(b)
	return errOne == nil && errOther == nil && reflect.DeepEqual(one, other)
}

// canonical is a spec as it comes back from Redis, with its name filled in, and without the keys of
// its files.
func canonical(spec job.Spec) (job.Spec, error) {
	spec.Name = cmp.Or(spec.Name, spec.Program)
	text, err := json.Marshal(spec)
	if err != nil {
		return spec, err
	}
	if spec, err = jobfile.Parse(text); err != nil { // a copy, which may be changed
		return spec, err
	}
	if spec.Artifact != nil {
		spec.Artifact.Key = ""
	}
	for _, f := range spec.ProgramFiles {
		if f.Artifact != nil {
			f.Artifact.Key = ""
		}
	}
	return spec, nil
}
