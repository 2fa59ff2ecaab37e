package server

import (
	"context"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

// retryJobsAfter is the Retry-After for a caller with too many jobs, in seconds.
const retryJobsAfter = "30"

// checkLimits checks the limits of one job, and the priority that its caller may give.
func (s *Server) checkLimits(spec *job.Spec, who caller) error {
	if err := spec.CheckLimits(); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err).WithHint("put large data on the store and name it by URL")
	}
	if most := s.cfg.MaxPriority; most != nil && who.role < RoleAdmin && spec.Priority > *most {
		return newProblem(api.CodeForbidden, "priority is %d: more than %d requires the role admin", spec.Priority, *most)
	}
	return nil
}

// admit makes a job one of the caller's active jobs, if there is room.
func (s *Server) admit(ctx context.Context, c echo.Context, by string, id job.ID) error {
	if s.cfg.MaxJobs == 0 || by == "" {
		return nil
	}
	admitted, err := s.cfg.Store.Admit(ctx, by, id, s.cfg.MaxJobs)
	if err != nil {
		return err
	}
	if !admitted {
		c.Response().Header().Set(echo.HeaderRetryAfter, retryJobsAfter)
		return newProblem(api.CodeTooManyJobs, "%d jobs of %s are active", s.cfg.MaxJobs, by)
	}
	return nil
}

// streams counts the event streams of each caller, and limits them. It is safe for concurrent use.
type streams struct {
	most int

	mu   sync.Mutex
	open map[string]int // guarded by mu
}

func newStreams(most int) *streams { return &streams{most: most, open: map[string]int{}} }

// take makes the request one of its caller's event streams, if there is room. The handler must call
// giveBack at the end.
func (s *streams) take(c echo.Context) (giveBack func(), err error) {
	name := callerOf(c).name
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[name] >= s.most {
		c.Response().Header().Set(echo.HeaderRetryAfter, "5")
		return nil, newProblem(api.CodeTooManyStreams, "%d event streams are open", s.most)
	}
	s.open[name]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[name]--; s.open[name] == 0 {
			delete(s.open, name)
		}
	}, nil
}
