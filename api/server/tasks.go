package server

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// The states of an attempt, and the state of a task that was not done when its job ended.
const (
	attemptRunning   = "running"
	attemptCommitted = "committed"
	attemptFailed    = "failed"
	taskStopped      = "stopped"
)

func appendTasks(to []api.Task, j state.Job, tasks []state.Task) []api.Task {
	for _, t := range tasks {
		to = append(to, taskOf(j, t))
	}
	return to
}

// listTasks answers GET /v1/jobs/{id}/tasks.
func (s *Server) listTasks(c echo.Context) error {
	j, err := s.job(c)
	if err != nil {
		return err
	}
	limit, err := intParam(c, "limit", defaultPage, 1, maxPage)
	if err != nil {
		return err
	}
	offset, err := intParam(c, "offset", 0, 0, 2*job.MaxTasks)
	if err != nil {
		return err
	}
	side, err := enumParam(c, "side", "map", "reduce")
	if err != nil {
		return err
	}
	maps, reduces := j.Map.Total, j.Reduce.Total
	switch side {
	case "map":
		reduces = 0
	case "reduce":
		maps = 0
	}
	if j.Phase == job.PhaseEnded {
		return s.listFailedTasks(c, j, side, offset, limit)
	}
	list := api.TaskList{Tasks: []api.Task{}, Total: maps + reduces, Progress: api.Progress{Map: j.Map, Reduce: j.Reduce}}
	if offset < maps {
		tasks, err := s.cfg.Jobs.Tasks(c.Request().Context(), j, job.Map, offset, min(limit, maps-offset))
		if err != nil {
			return err
		}
		list.Tasks = appendTasks(list.Tasks, j, tasks)
	}
	if left := limit - len(list.Tasks); left > 0 && reduces > 0 {
		tasks, err := s.cfg.Jobs.Tasks(c.Request().Context(), j, job.Reduce, max(0, offset-maps), left)
		if err != nil {
			return err
		}
		list.Tasks = appendTasks(list.Tasks, j, tasks)
	}
	// The records of the job's tasks may have been deleted while they were read.
	if j, err = s.jobNow(c.Request().Context(), j.ID); err != nil {
		return err
	}
	if j.Phase == job.PhaseEnded {
		return s.listFailedTasks(c, j, side, offset, limit)
	}
	return c.JSON(http.StatusOK, list)
}

// listFailedTasks answers listTasks for a job that has ended.
func (s *Server) listFailedTasks(c echo.Context, job state.Job, side string, offset, limit int) error {
	tasks, err := s.cfg.Jobs.FailedTasks(c.Request().Context(), job)
	if err != nil {
		return err
	}
	tasks = slices.DeleteFunc(tasks, func(t state.Task) bool { return side != "" && t.Task.Side.String() != side })
	list := api.TaskList{Tasks: []api.Task{}, Total: len(tasks), Forgotten: true, Progress: api.Progress{Map: job.Map, Reduce: job.Reduce}}
	first := min(offset, len(tasks))
	list.Tasks = appendTasks(list.Tasks, job, tasks[first:min(first+limit, len(tasks))])
	return c.JSON(http.StatusOK, list)
}

func taskOf(j state.Job, t state.Task) api.Task {
	task := api.Task{
		ID: t.Task.String(), Side: t.Task.Side.String(), Index: t.Task.Index, State: string(t.State), Attempts: []api.Attempt{},
	}
	if j.State.Terminal() && t.State != state.TaskCommitted {
		task.State = taskStopped
		if j.State == job.Completed {
			task.State = string(state.TaskCommitted)
		}
	}
	for i := range t.Failures {
		f := api.FailureOf(&t.Failures[i])
		a, err := job.ParseAttempt(j.ID, f.Attempt)
		if err != nil {
			continue // which does not happen: Jobs reads only valid names
		}
		task.Attempts = append(task.Attempts, api.Attempt{
			Number: a.Number, State: attemptFailed, Executor: f.Executor, Ended: f.At, Error: f,
		})
	}
	if w := t.Winner; w != nil {
		task.Attempts = append(task.Attempts, api.Attempt{
			Number: w.Attempt.Number, State: attemptCommitted, Executor: w.Executor,
			Started: api.TimeOf(w.Started), Ended: api.TimeOf(w.Ended), Progress: 1,
		})
	}
	for _, r := range t.Running {
		task.Attempts = append(task.Attempts, runningAttempt(r))
	}
	slices.SortStableFunc(task.Attempts, func(a, b api.Attempt) int { return a.Number - b.Number })
	return task
}

func runningAttempt(r state.Running) api.Attempt {
	return api.Attempt{
		Number: r.Attempt.Number, State: attemptRunning, Executor: r.Executor,
		Started: api.TimeOf(r.Started), Progress: float64(r.Progress) / 1000,
	}
}

// getLog answers GET /v1/jobs/{id}/tasks/{task}/attempts/{number}/log. It does not read the job,
// because logs may outlive the records of their jobs.
func (s *Server) getLog(c echo.Context) error {
	id, err := s.jobID(c)
	if err != nil {
		return err
	}
	name := c.Param("task") + "." + c.Param("number")
	attempt, err := job.ParseAttempt(id, name)
	if err != nil || attempt.Name() != name {
		return newProblem(api.CodeTaskNotFound, "%.80q is not the name of an attempt", name)
	}
	ctx, key := c.Request().Context(), s.layout(id).Log(attempt)
	running, askErr := s.cfg.Store.ReadLog(ctx, attempt)
	o, err := s.work.Stat(ctx, key)
	switch {
	case errors.Is(err, objstore.ErrNotFound) && askErr != nil:
		return askErr
	case errors.Is(err, objstore.ErrNotFound) && running:
		return newProblem(api.CodeLogNotFound, "attempt %s of job %s is running, and has no log yet", attempt.Name(), id).
			WithHint("ask again in a few seconds: because somebody reads the log now, it is stored as it grows, once the program has written something")
	case errors.Is(err, objstore.ErrNotFound):
		return newProblem(api.CodeLogNotFound, "attempt %s of job %s has left no log", attempt.Name(), id)
	}
	if err != nil {
		return err
	}
	header := c.Response().Header()
	begin := func() {
		header.Set(echo.HeaderContentType, echo.MIMETextPlainCharsetUTF8)
		header.Set(echo.HeaderContentLength, strconv.FormatInt(o.Size, 10))
		c.Response().WriteHeader(http.StatusOK)
	}
	if c.Request().Method == http.MethodHead {
		begin()
		return nil
	}
	r, err := s.work.Get(ctx, key, 0, o.Size)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // everything has been read, or the connection breaks
	begin()
	if _, err := io.CopyN(c.Response(), r, o.Size); err != nil {
		s.brokenAnswer(c, err)
	}
	return nil
}

// listActive answers GET /v1/active.
func (s *Server) listActive(c echo.Context) error {
	jobs, err := s.cfg.Store.Active(c.Request().Context())
	if err != nil {
		return err
	}
	found := make([][]state.Running, len(jobs))
	g, ctx := errgroup.WithContext(c.Request().Context())
	g.SetLimit(readsAtOnce)
	for i, id := range jobs {
		g.Go(func() (err error) {
			found[i], err = s.cfg.Store.Running(ctx, id)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	list := api.ActiveList{Attempts: []api.ActiveAttempt{}}
	for _, r := range slices.Concat(found...) {
		list.Attempts = append(list.Attempts, api.ActiveAttempt{
			Job: r.Attempt.Job, Task: r.Attempt.Task.String(), Attempt: runningAttempt(r),
		})
	}
	slices.SortFunc(list.Attempts, func(a, b api.ActiveAttempt) int {
		if a.Job != b.Job {
			return strings.Compare(string(a.Job), string(b.Job))
		}
		return strings.Compare(a.Task, b.Task)
	})
	return c.JSON(http.StatusOK, list)
}
