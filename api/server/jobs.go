package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/internal/pattern"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// summary is a job without the details that only the page of a single job shows.
func summary(job state.Job) (api.Job, error) {
	answer := api.Job{
		ID: job.ID, Name: job.Name, Program: job.Program, SubmittedBy: job.SubmittedBy, State: job.State, Phase: job.Phase, Priority: job.Priority,
		Progress: api.Progress{Map: job.Map, Reduce: job.Reduce},
		Error:    api.FailureOf(job.Error),
		Times: api.Times{
			Submitted: api.TimeOf(job.Submitted), Planned: api.TimeOf(job.Planned), MapsDone: api.TimeOf(job.MapsDone),
			Published: api.TimeOf(job.PublishedFrom), Ended: api.TimeOf(job.Ended),
		},
		Output: job.Output,
	}
	if answer.Error != nil {
		answer.Error.Detail, answer.Error.Record, answer.Error.Log = "", "", ""
	}
	if job.Plan != "" {
		plan, err := layout.ParsePlan(job.Plan)
		if err != nil {
			return api.Job{}, fmt.Errorf("read the plan of %s: %w", job.ID, err)
		}
		answer.Inputs, answer.InputBytes, answer.OwnFolders = plan.Inputs, plan.Bytes, plan.Own
		answer.PassedOver, answer.OldOutputs, answer.EmptyInputs, answer.EmptyInput = plan.PassedOver, plan.Outputs, plan.Empty, plan.EmptyInput
	}
	return answer, nil
}

// specOf parses the spec of a job's record. An error is not a job.ErrSpec: a damaged record is not
// the client's fault.
func specOf(j state.Job) (job.Spec, error) {
	spec, err := jobfile.Parse(j.Spec)
	if err != nil {
		err = errors.New("read the spec of " + string(j.ID) + ": " + err.Error())
	}
	return spec, err
}

// job reads the job in the request's path.
func (s *Server) job(c echo.Context) (state.Job, error) {
	id, err := s.jobID(c)
	if err != nil {
		return state.Job{}, err
	}
	return s.jobNow(c.Request().Context(), id)
}

// jobNow reads a job. While jobs are being restored, it does not say that a job is not there.
func (s *Server) jobNow(ctx context.Context, id job.ID) (state.Job, error) {
	job, err := s.cfg.Jobs.Job(ctx, id)
	if !errors.Is(err, state.ErrNoJob) || s.cfg.Restoring == nil {
		return job, err
	}
	restoring, askErr := s.cfg.Restoring(ctx)
	if askErr != nil {
		return job, askErr
	}
	if restoring {
		return job, newProblem(api.CodeStateUnavailable, "Redis has lost its data, and jobs are being restored from the store")
	}
	// The job may have been restored between the two requests.
	return s.cfg.Jobs.Job(ctx, id)
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
	if answer.Counters, err = s.cfg.Jobs.Counters(c.Request().Context(), job.ID); err != nil {
		return err
	}
	if answer.Spec, err = shownSpec(job, callerOf(c)); err != nil {
		return err
	}
	answer.Error = api.FailureOf(job.Error)
	return c.JSON(http.StatusOK, answer)
}

// getCounters answers GET /v1/jobs/{id}/counters.
func (s *Server) getCounters(c echo.Context) error {
	job, err := s.job(c)
	if err != nil {
		return err
	}
	counters, err := s.cfg.Jobs.Counters(c.Request().Context(), job.ID)
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
	if stopErr != nil && !errors.Is(stopErr, state.ErrIllegal) && !errors.Is(stopErr, state.ErrNoJob) {
		return stopErr
	}
	if j, err = s.jobNow(c.Request().Context(), j.ID); err != nil {
		return err
	}
	if stopErr != nil && j.State != job.Cancelled {
		return newProblem(api.CodeJobEnded, "job %s is already %s", j.ID, j.State)
	}
	if stopErr == nil {
		s.audit.done(c, "job cancelled", "job", j.ID)
	}
	return s.answerJob(c, j)
}

// retryJob answers POST /v1/jobs/{id}/retry.
func (s *Server) retryJob(c echo.Context) error {
	if s.cfg.Retry == nil {
		return newProblem(api.CodeNotConfigured, "retrying is not set up")
	}
	j, err := s.job(c)
	if err != nil {
		return err
	}
	// When the job was submitted, the allow-list may have been different, or its submitter an
	// admin.
	spec, err := specOf(j)
	if err != nil {
		return err
	}
	if err := s.places.checkJob(&spec, callerOf(c)); err != nil {
		return err
	}
	if err := s.admit(c.Request().Context(), c, j.SubmittedBy, j.ID); err != nil {
		return err
	}
	if err := s.cfg.Retry(c.Request().Context(), j.ID); err != nil {
		if errors.Is(err, state.ErrIllegal) {
			return newProblem(api.CodeJobNotRetryable, "job %s is %s%s", j.ID, j.State, whyNoRetry(j))
		}
		if errors.Is(err, job.ErrOutputNotFree) {
			return newProblem(api.CodeJobNotRetryable, "%w", err).
				WithHint("make the output free again, or submit the job to another one")
		}
		return err
	}
	s.audit.done(c, "job retried", "job", j.ID)
	if j, err = s.jobNow(c.Request().Context(), j.ID); err != nil {
		return err
	}
	return s.answerJob(c, j)
}

// whyNoRetry says why a failed job can't be retried; for other jobs their state is reason enough.
func whyNoRetry(j state.Job) string {
	switch {
	case j.State != job.Failed:
		return ""
	case j.Phase == job.PhaseCleanup:
		return ", but is still being cleaned up; try again in a moment"
	}
	return ", and what a retry needs is deleted: it is kept for a limited time (--keep-failed), and only of a job that was planned"
}

// How many jobs a page has, and how many are searched for it.
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
	list := api.JobList{Jobs: []api.Job{}}
	for offset := from; ; {
		if offset-from >= maxScan {
			list.Next = cursor{offset: offset}.String()
			return c.JSON(http.StatusOK, list)
		}
		ids, err := s.cfg.Jobs.History(c.Request().Context(), offset, scanStep)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return c.JSON(http.StatusOK, list)
		}
		jobs, err := s.cfg.Jobs.Summaries(c.Request().Context(), ids)
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

// jobFilter reads the parameters state and name. State may be given more than once, or be a list
// with commas. Name is a glob or, if it has no special characters, a part of the name.
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

// cursor says where the next page starts: after a job, which may have a greater offset by now
// because of new jobs, or at an offset.
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

// cursorText is the form of a cursor.
var cursorText = regexp.MustCompile(`^(0|[1-9][0-9]{0,7})([.][A-Za-z0-9_-]{1,128})?$`)

func parseCursor(text string) (cursor, error) {
	if !cursorText.MatchString(text) {
		return cursor{}, invalidQuery("cursor", "%.40q is not a cursor of this server", text)
	}
	number, after, _ := strings.Cut(text, ".")
	offset, err := strconv.Atoi(number)
	return cursor{offset: offset, after: job.ID(after)}, err
}

// resume returns the offset where the requested page starts.
func (s *Server) resume(c echo.Context) (int, error) {
	if !c.QueryParams().Has("cursor") {
		return 0, nil
	}
	from, err := parseCursor(c.QueryParam("cursor"))
	if err != nil || from.after == "" {
		return from.offset, err
	}
	for offset := from.offset; offset < from.offset+maxScan; offset += scanStep {
		ids, err := s.cfg.Jobs.History(c.Request().Context(), offset, scanStep)
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
	return from.offset, nil // the job is gone, or far away: the page may repeat some jobs
}
