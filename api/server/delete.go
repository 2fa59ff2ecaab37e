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

// How long a deletion waits for the end of a job whose outcome is settled, and how often it looks.
const (
	endWithin = 10 * time.Second
	endPoll   = 50 * time.Millisecond
)

// deleteJob answers DELETE /v1/jobs/{id}. It takes the role admin, or to be who submitted the job. Of a failed job that may be
// retried, what it keeps for that is removed first.
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
		return newProblem(api.CodeForbidden, "job %s is another's: to delete it takes the role admin; the token's is %s", job.ID, who.role)
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
	if err != nil && !errors.Is(err, state.ErrNoJob) { // another deletion was faster
		return err
	}
	s.audit.done(c, "job deleted", "job", job.ID)
	return c.NoContent(http.StatusNoContent)
}

// awaitEnd waits a little for a controller to clean up after a job whose outcome is settled.
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
