package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// How long a deletion waits for the clean-up of a job, and how often it asks for it.
const (
	endWithin = 10 * time.Second
	endPoll   = 50 * time.Millisecond
)

// deleteJob answers DELETE /v1/jobs/{id}. It requires the role admin, or the submitter of the job.
// If a failed job is kept for a retry, what is kept is removed first.
func (s *Server) deleteJob(c echo.Context) error {
	if s.cfg.Delete == nil {
		return newProblem(api.CodeNotConfigured, "deleting jobs is not set up")
	}
	job, err := s.job(c)
	if err != nil {
		return err
	}
	who := callerOf(c)
	if who.role < RoleAdmin && who.name != job.SubmittedBy {
		return newProblem(api.CodeForbidden, "job %s was submitted by another caller: deleting it requires the role admin; the token has the role %s", job.ID, who.role)
	}
	if !job.State.Terminal() {
		return newProblem(api.CodeJobNotEnded, "job %s is %s", job.ID, job.State)
	}
	if err := s.awaitEnd(c, job); err != nil {
		return err
	}
	err = s.cfg.Delete(c.Request().Context(), job.ID)
	if errors.Is(err, state.ErrIllegal) {
		return newProblem(api.CodeJobNotEnded, "job %s has not ended", job.ID)
	}
	if err != nil && !errors.Is(err, state.ErrNoJob) { // otherwise another deletion was faster
		return err
	}
	s.audit.done(c, "job deleted", "job", job.ID)
	return c.NoContent(http.StatusNoContent)
}

// awaitEnd waits a little for a controller to clean up after a job.
func (s *Server) awaitEnd(c echo.Context, j state.Job) error {
	ctx := c.Request().Context()
	if j.Phase == job.PhaseKept {
		if err := s.cfg.Store.Discard(ctx, j.ID, j.Stage); err != nil && !errors.Is(err, state.ErrIllegal) {
			return err
		}
	}
	tick := time.NewTicker(endPoll)
	defer tick.Stop()
	for begun := time.Now(); ; {
		phase, err := s.cfg.Store.Phase(ctx, j.ID)
		if phase == job.PhaseEnded || err != nil {
			return err
		}
		if time.Since(begun) > endWithin {
			return newProblem(api.CodeJobNotEnded, "job %s is %s, and is still being cleaned up", j.ID, j.State).WithHint("try again in a moment")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
