package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/controller/internal/pattern"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Job is a job as clients see it. Lists leave spec, counters and the long parts of an error
// out.
type Job struct {
	ID       job.ID      `json:"id"`
	Name     string      `json:"name"`
	Program  string      `json:"program"`
	State    job.State   `json:"state"`
	Phase    state.Phase `json:"phase"`
	Priority int         `json:"priority"`
	// The caller's name; empty of a job that an earlier version submitted.
	SubmittedBy string   `json:"submitted_by"`
	Progress    Progress `json:"progress"`
	Error       *Failure `json:"error"` // null unless the job failed or was cancelled
	Times       Times    `json:"times"`
	Output      string   `json:"output"`                // URL of its folder
	Inputs      int      `json:"inputs,omitempty"`      // input objects, once planned
	InputBytes  int64    `json:"input_bytes,omitempty"` // their bytes
	// Objects and folders that were passed over, since their names begin with "_" or "."; folders below the inputs'
	// with outputs of jobs, and such of Bucketmill's own, which were passed over, too; inputs of 0 bytes, and the first of them.
	PassedOver  int    `json:"passed_over,omitempty"`
	OldOutputs  int    `json:"old_outputs,omitempty"`
	OwnFolders  int    `json:"own_folders,omitempty"`
	EmptyInputs int    `json:"empty_inputs,omitempty"`
	EmptyInput  string `json:"empty_input,omitempty"`

	Counters map[string]int64 `json:"counters,omitempty"`
	Spec     json.RawMessage  `json:"spec,omitempty"`
}

// Progress is that of both sides of a job.
type Progress struct {
	Map    job.Progress `json:"map"`
	Reduce job.Progress `json:"reduce"`
}

// Times are when things happened to a job, by the clock of Redis; null: not yet.
type Times struct {
	Submitted *Time `json:"submitted"`
	Planned   *Time `json:"planned"`
	MapsDone  *Time `json:"maps_done"`
	Published *Time `json:"published"` // when publishing began
	Ended     *Time `json:"ended"`
}

// Time is written as RFC 3339 has it, in UTC, to the millisecond.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON writes the time in its one form.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(timeLayout) + `"`), nil
}

// at returns nil for the zero time.
func at(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}

// Failure says what went wrong with an attempt, or with the job as a whole.
type Failure struct {
	Message  string         `json:"message"`
	Class    job.Class      `json:"class"`
	Attempt  string         `json:"attempt,omitempty"` // "m12.1"
	Executor job.ExecutorID `json:"executor,omitempty"`
	At       *Time          `json:"at"`
	Detail   string         `json:"detail,omitempty"` // a traceback
	Record   string         `json:"record,omitempty"` // the record that caused it, shortened
	Log      string         `json:"log,omitempty"`    // the attempt's last lines on stderr
}

// FailureOf is a failure as the API shows it; nil for none.
func FailureOf(f *job.Failure) *Failure {
	if f == nil {
		return nil
	}
	answer := &Failure{
		Message: f.Message, Class: f.Class, Attempt: f.Attempt, Executor: f.Executor,
		Detail: f.Detail, Record: f.Record, Log: f.Log,
	}
	if f.At > 0 {
		answer.At = at(time.UnixMilli(f.At))
	}
	return answer
}

// summary is a job without what only one that looks at it alone wants to know.
func summary(job state.Job) (Job, error) {
	answer := Job{
		ID: job.ID, Name: job.Name, Program: job.Program, SubmittedBy: job.SubmittedBy, State: job.State, Phase: job.Phase, Priority: job.Priority,
		Progress: Progress{Map: job.Map, Reduce: job.Reduce},
		Error:    FailureOf(job.Error),
		Times: Times{
			Submitted: at(job.Submitted), Planned: at(job.Planned), MapsDone: at(job.MapsDone),
			Published: at(job.PublishedFrom), Ended: at(job.Ended),
		},
		Output: job.Output,
	}
	if answer.Error != nil {
		answer.Error.Detail, answer.Error.Record, answer.Error.Log = "", "", ""
	}
	if job.Plan != "" {
		plan, err := layout.ParsePlan(job.Plan)
		if err != nil {
			return Job{}, fmt.Errorf("read the plan of %s: %w", job.ID, err)
		}
		answer.Inputs, answer.InputBytes, answer.OwnFolders = plan.Inputs, plan.Bytes, plan.Own
		answer.PassedOver, answer.OldOutputs, answer.EmptyInputs, answer.EmptyInput = plan.PassedOver, plan.Outputs, plan.Empty, plan.EmptyInput
	}
	return answer, nil
}

// hide keeps a fault of what is stored from being taken for the client's.
func hide(err error) error { return errors.New(err.Error()) }

// job reads the job that the path names.
func (s *Server) job(c echo.Context) (state.Job, error) {
	id, err := s.jobID(c)
	if err != nil {
		return state.Job{}, err
	}
	return s.jobNow(c.Request().Context(), id)
}

// jobNow reads a job. One that Redis does not know while jobs are restored may be one of these.
func (s *Server) jobNow(ctx context.Context, id job.ID) (state.Job, error) {
	job, err := s.cfg.Store.Job(ctx, id)
	if !errors.Is(err, state.ErrNoJob) || s.cfg.Restoring == nil {
		return job, err
	}
	restoring, askErr := s.cfg.Restoring(ctx)
	if askErr != nil {
		return job, askErr
	}
	if restoring {
		return job, newProblem(CodeStateUnavailable, "Redis has lost what it held, and jobs are being brought back from the store")
	}
	// It may have been restored between the two questions.
	return s.cfg.Store.Job(ctx, id)
}

// getJob answers GET /v1/jobs/{id}.
func (s *Server) getJob(c echo.Context) error {
	job, err := s.job(c)
	if err != nil {
		return err
	}
	return s.answerJob(c, job)
}

func (s *Server) answerJob(c echo.Context, job state.Job) error {
	answer, err := summary(job)
	if err != nil {
		return err
	}
	if answer.Counters, err = s.cfg.Store.Counters(c.Request().Context(), job.ID); err != nil {
		return err
	}
	if answer.Spec, err = shownSpec(job, callerOf(c)); err != nil {
		return err
	}
	answer.Error = FailureOf(job.Error)
	return c.JSON(http.StatusOK, answer)
}

// getCounters answers GET /v1/jobs/{id}/counters.
func (s *Server) getCounters(c echo.Context) error {
	job, err := s.job(c)
	if err != nil {
		return err
	}
	counters, err := s.cfg.Store.Counters(c.Request().Context(), job.ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, counters)
}

// cancelJob answers POST /v1/jobs/{id}/cancel. Cancelling a cancelled job changes nothing.
func (s *Server) cancelJob(c echo.Context) error {
	j, err := s.job(c)
	if err != nil {
		return err
	}
	who := callerOf(c).name
	stopErr := s.cfg.Store.Stop(c.Request().Context(), j.ID, state.AnyStage, job.Cancelled,
		job.Failure{Class: job.ClassJob, Message: "cancelled by " + who})
	if stopErr != nil && !errors.Is(stopErr, state.ErrIllegal) {
		return stopErr
	}
	if j, err = s.jobNow(c.Request().Context(), j.ID); err != nil {
		return err
	}
	if stopErr != nil && j.State != job.Cancelled {
		return newProblem(CodeJobEnded, "job %s is %s already", j.ID, j.State)
	}
	if stopErr == nil {
		s.audit.done(c, "job cancelled", "job", j.ID)
	}
	return s.answerJob(c, j)
}

// retryJob answers POST /v1/jobs/{id}/retry.
func (s *Server) retryJob(c echo.Context) error {
	if s.cfg.Retry == nil {
		return newProblem(CodeNotConfigured, "retrying is not set up")
	}
	job, err := s.job(c)
	if err != nil {
		return err
	}
	// The allow-list may have been another when the job was submitted, and its submitter an admin.
	spec, err := jobfile.Parse(job.Spec)
	if err != nil {
		return fmt.Errorf("read the spec of %s: %w", job.ID, hide(err))
	}
	if err := s.places.checkJob(&spec, callerOf(c)); err != nil {
		return err
	}
	if err := s.admit(c, job.SubmittedBy, job.ID); err != nil {
		return err
	}
	if err := s.cfg.Retry(c.Request().Context(), job.ID); err != nil {
		if errors.Is(err, state.ErrIllegal) {
			return newProblem(CodeJobNotRetryable, "job %s is %s%s", job.ID, job.State, whyNoRetry(job))
		}
		if errors.Is(err, controller.ErrOutputNotFree) {
			return newProblem(CodeJobNotRetryable, "%w", err).
				hinted("make the output free again, or submit the job to another one")
		}
		return err
	}
	s.audit.done(c, "job retried", "job", job.ID)
	if job, err = s.jobNow(c.Request().Context(), job.ID); err != nil {
		return err
	}
	return s.answerJob(c, job)
}

// whyNoRetry says of a failed job why it can't be retried; of others their state says it all.
func whyNoRetry(j state.Job) string {
	switch {
	case j.State != job.Failed:
		return ""
	case j.Phase == state.PhaseCleanup:
		return ", but is still being cleaned up: try again in a moment"
	}
	return ", and what a retry needs is gone: it is kept for a time (--keep-failed), and only of a job that was planned"
}

// JobList is a page of jobs, newest first.
type JobList struct {
	Jobs []Job `json:"jobs"`
	// Next is the cursor of the next page; absent on the last. A page may hold fewer jobs than
	// asked for, even none, and still have a next one: a filter looks through so many jobs at a
	// time.
	Next string `json:"next,omitempty"`
}

// How many jobs a page has, and how many are looked through for it.
const (
	defaultPage = 50
	maxPage     = 500
	maxScan     = 2000
	scanStep    = 100
	readsAtOnce = 16 // of Redis, for one request
)

// listJobs answers GET /v1/jobs.
func (s *Server) listJobs(c echo.Context) error {
	limit, err := intParam(c, "limit", defaultPage, 1, maxPage)
	if err != nil {
		return err
	}
	wanted, err := jobFilter(c)
	if err != nil {
		return err
	}
	from, err := s.resume(c)
	if err != nil {
		return err
	}
	list := JobList{Jobs: []Job{}}
	for offset := from; ; {
		if offset-from >= maxScan {
			list.Next = cursor{offset: offset}.String()
			return c.JSON(http.StatusOK, list)
		}
		ids, err := s.cfg.Store.History(c.Request().Context(), offset, scanStep)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return c.JSON(http.StatusOK, list)
		}
		jobs, err := s.cfg.Store.Summaries(c.Request().Context(), ids)
		if err != nil {
			return err
		}
		for _, job := range jobs {
			if !wanted(job) {
				continue
			}
			answer, err := summary(job)
			if err != nil {
				return err
			}
			list.Jobs = append(list.Jobs, answer)
			if len(list.Jobs) == limit {
				list.Next = cursor{offset: offset + slices.Index(ids, job.ID), after: job.ID}.String()
				return c.JSON(http.StatusOK, list)
			}
		}
		offset += scanStep
	}
}

// jobFilter reads the parameters state and name. A state may be given more than once, or with
// commas; a name is a glob, or a part of the name where it has no glob's characters.
func jobFilter(c echo.Context) (func(state.Job) bool, error) {
	states := map[job.State]bool{}
	for _, value := range c.QueryParams()["state"] {
		for name := range strings.SplitSeq(value, ",") {
			switch st := job.State(strings.ToUpper(name)); st {
			case job.Submitted, job.Mapping, job.Reducing, job.Completed, job.Failed, job.Cancelled:
				states[st] = true
			default:
				return nil, invalidQuery("state", "%.40q is not one of SUBMITTED, MAPPING, REDUCING, COMPLETED, FAILED, CANCELLED", name)
			}
		}
	}
	name := c.QueryParam("name")
	var glob *pattern.Pattern
	if strings.ContainsAny(name, objstore.GlobMeta) {
		var err error
		if glob, err = pattern.Compile(name); err != nil {
			return nil, invalidQuery("name", "%.80q: %w", name, err)
		}
	}
	return func(job state.Job) bool {
		if len(states) > 0 && !states[job.State] {
			return false
		}
		if glob != nil {
			return glob.Match(job.Name)
		}
		return strings.Contains(job.Name, name)
	}, nil
}

// cursor says where the next page starts: after a job, which new ones have pushed on from its
// offset since, or at an offset.
type cursor struct {
	offset int
	after  job.ID
}

func (c cursor) String() string {
	if c.after == "" {
		return strconv.Itoa(c.offset)
	}
	return strconv.Itoa(c.offset) + "." + string(c.after)
}

// cursorText is what a cursor looks like.
var cursorText = regexp.MustCompile(`^(0|[1-9][0-9]{0,7})([.][A-Za-z0-9_-]{1,128})?$`)

func parseCursor(text string) (cursor, error) {
	if !cursorText.MatchString(text) {
		return cursor{}, invalidQuery("cursor", "%.40q is not one that this server gave", text)
	}
	number, after, _ := strings.Cut(text, ".")
	offset, err := strconv.Atoi(number)
	return cursor{offset: offset, after: job.ID(after)}, err
}

// resume finds the offset where the page that the request asks for starts.
func (s *Server) resume(c echo.Context) (int, error) {
	if !c.QueryParams().Has("cursor") {
		return 0, nil
	}
	from, err := parseCursor(c.QueryParam("cursor"))
	if err != nil || from.after == "" {
		return from.offset, err
	}
	for offset := from.offset; offset < from.offset+maxScan; offset += scanStep {
		ids, err := s.cfg.Store.History(c.Request().Context(), offset, scanStep)
		if err != nil {
			return 0, err
		}
		for i, id := range ids {
			if id == from.after {
				return offset + i + 1, nil
			}
		}
		if len(ids) == 0 {
			break
		}
	}
	return from.offset, nil // the job is forgotten, or far away: rather show some again
}
