package server

import (
	"bytes"
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
	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/state"
)

// headerIdempotencyKey makes a submission repeatable: the same caller's same key names the
// same job.
const headerIdempotencyKey = "Idempotency-Key"

// maxIdempotencyKey is the longest key, in bytes.
const maxIdempotencyKey = 256

// submitJob answers POST /v1/jobs. A program is on the work store, under a key that no other
// request uses, before its job is created. It is removed again if the job is certainly not.
func (s *Server) submitJob(c echo.Context) (err error) {
	ctx := c.Request().Context()
	id, err := jobIDFor(c)
	if err != nil {
		return err
	}
	spec, sent, err := s.readSubmission(c, id)
	keep := false
	defer func() {
		if !keep {
			err = errors.Join(err, s.discard(ctx, sent))
		}
	}()
	if err != nil {
		return err
	}
	if err := s.checkSpec(ctx, &spec, callerOf(c)); err != nil {
		return err
	}
	if sent.program == nil && isReference(spec.Program) {
		if sent.program, err = s.copyProgram(ctx, id, &sent, spec.Program, callerOf(c)); err != nil {
			return err
		}
		spec.Program = spec.Program[strings.LastIndexByte(spec.Program, '/')+1:]
	}
	spec.Artifact = sent.program
	if err := s.addressFiles(ctx, id, &spec, &sent, callerOf(c)); err != nil {
		return err
	}
	if err := s.settleProgram(&spec); err != nil {
		return err
	}
	made, j, err := s.create(c, id, spec)
	var refusal *api.Problem
	keep = made.ours || err != nil && !errors.As(err, &refusal) // Redis may have made the job, and not said so
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderLocation, "/v1/jobs/"+string(id))
	if !made.now {
		return c.JSON(http.StatusOK, api.Submitted{ID: id, State: j.State})
	}
	s.audit.done(c, "job submitted", "job", id, "name", spec.Name, "program", spec.Program)
	return c.JSON(http.StatusCreated, api.Submitted{ID: id, State: job.Submitted})
}

// jobIDFor returns a new id, or the one that belongs to the caller's idempotency key.
func jobIDFor(c echo.Context) (job.ID, error) {
	keys := c.Request().Header.Values(headerIdempotencyKey)
	if len(keys) > 1 {
		return "", newProblem(api.CodeInvalidRequest, "the %s is given %d times", headerIdempotencyKey, len(keys))
	}
	key := strings.Join(keys, "")
	if key == "" {
		return controller.NewJobID(), nil
	}
	if len(key) > maxIdempotencyKey {
		return "", newProblem(api.CodeInvalidRequest, "the %s has %d bytes; at most %d are taken", headerIdempotencyKey, len(key), maxIdempotencyKey)
	}
	return keyedID(callerOf(c).name, key), nil
}

// keyedID is the id that a caller's idempotency key always gives. It is like any other: a key that is a ULID, as our client's
// are, gives it its time.
func keyedID(who, key string) job.ID {
	var id ulid.ULID
	sum := sha256.Sum256([]byte(who + "\x00" + key))
	copy(id[:], sum[:])
	if made, err := ulid.ParseStrict(strings.ToUpper(key)); err == nil {
		copy(id[:6], made[:6])
	}
	return job.ID(strings.ToLower(id.String()))
}

// readSubmission reads the spec and, of a multipart body, stores what comes with it. That is to be
// discarded also if there is an error.
func (s *Server) readSubmission(c echo.Context, id job.ID) (job.Spec, parcel, error) {
	header := c.Request().Header.Get(echo.HeaderContentType)
	kind, err := mediaType(header)
	if err != nil {
		return job.Spec{}, parcel{}, err
	}
	switch kind {
	case "multipart/form-data":
		return s.readMultipart(c, id)
	case "", "application/x-www-form-urlencoded", // curl's default for --data
		"application/json", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml":
		if err := allowBody(c, overfull*s.cfg.MaxSpec+1); err != nil {
			return job.Spec{}, parcel{}, largeSpec(s.cfg.MaxSpec)
		}
		spec, err := readSpec(boundedSpec(c.Request().Body, s.cfg.MaxSpec), s.cfg.MaxSpec)
		return spec, parcel{}, err
	}
	return job.Spec{}, parcel{}, newProblem(api.CodeMediaType, "content type %q", kind)
}

// mediaType is what a body's type is without its parameters; "" if the header is. Text is UTF-8.
func mediaType(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	kind, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", newProblem(api.CodeMediaType, "content type %q: %w", header, err)
	}
	if charset := strings.ToLower(params["charset"]); charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii" {
		return "", newProblem(api.CodeMediaType, "the charset %.40q is not taken", charset).WithHint("send text as UTF-8")
	}
	return kind, nil
}

// overfull is how much more than a whole spec is read of one: of what is a little too large, the answer can say why.
const overfull = 4

// readSpec reads a spec of at most that many bytes.
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

// nullField names a field of a spec that is written without a value; "" if there is none. A job file may have such
// fields; a request that does has most likely lost a value.
func nullField(text []byte) string {
	fields := map[string]any{}
	var err error
	if text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))); bytes.HasPrefix(text, []byte("{")) {
		err = json.Unmarshal(text, &fields)
	} else {
		err = yaml.Unmarshal(text, &fields)
	}
	if err != nil {
		return "" // it was read before: the two readers differ
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] == nil {
			return name
		}
	}
	return ""
}

// making is what became of a submission's job.
type making struct {
	now  bool // this request made the job
	ours bool // the job has this request's files: what came with it must stay
}

// create makes the job, or finds that it was made before from the same spec.
func (s *Server) create(c echo.Context, id job.ID, spec job.Spec) (made making, j state.Job, err error) {
	ctx, by := c.Request().Context(), callerOf(c).name
	j, err = s.cfg.Store.Job(ctx, id)
	if errors.Is(err, state.ErrNoJob) {
		if err := s.admit(c, by, id); err != nil {
			return making{}, j, err
		}
		made.now, err = s.cfg.Submit(ctx, by, id, spec)
		if err == nil {
			// The job has this very spec, files included, also if another request with the same key, or one of
			// ours whose answer was lost, made it.
			made.ours = true
			return made, state.Job{ID: id, State: job.Submitted}, nil
		}
		if !errors.Is(err, state.ErrExists) {
			return making{}, j, err
		}
		// The same key was used at the same time.
		j, err = s.cfg.Store.Job(ctx, id)
	}
	if err != nil {
		return making{}, j, err
	}
	before, err := jobfile.Parse(j.Spec)
	if err != nil {
		return making{}, j, hide(err)
	}
	if !sameSpec(before, spec) {
		return making{}, j, newProblem(api.CodeJobConflict, "job %s has another spec", id)
	}
	if j.State.Terminal() {
		return making{}, j, nil
	}
	// Again, exactly as it was: the first submission may have ended between its steps.
	_, err = s.cfg.Store.SubmitFor(ctx, j.SubmittedBy, id, j.Name, j.Priority, j.Spec)
	return making{}, j, err
}

// sameSpec tells whether two specs ask for the same, wherever their programs lie.
func sameSpec(a, b job.Spec) bool {
	one, errOne := canonical(a)
	other, errOther := canonical(b)
	return errOne == nil && errOther == nil && reflect.DeepEqual(one, other)
}

// canonical is a spec as it is after a way through the state, with its name filled in, and without
// the keys of its files.
func canonical(spec job.Spec) (job.Spec, error) {
	spec.Name = orDefault(spec.Name, spec.Program)
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
