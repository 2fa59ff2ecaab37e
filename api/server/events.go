package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// eventOf converts an event of package state.
func eventOf(e state.Event) (api.Event, error) {
	event := api.Event{ID: e.ID, Type: strings.ReplaceAll(e.Kind, " ", "_")}
	millis, _, _ := strings.Cut(e.ID, "-")
	if ms, err := strconv.ParseInt(millis, 10, 64); err == nil {
		event.At = api.TimeOf(time.UnixMilli(ms))
	}
	switch e.Kind {
	case string(job.Submitted), string(job.Completed), string(job.Failed), string(job.Cancelled):
		event.Type, event.State = api.EventState, job.State(e.Kind)
	case "phase":
		event.Phase = job.Phase(e.Text)
		return event, nil
	}
	if strings.HasPrefix(e.Text, "{") {
		var f job.Failure
		if err := json.Unmarshal([]byte(e.Text), &f); err != nil {
			return event, fmt.Errorf("read event %s: %w", e.ID, err)
		}
		event.Failure = api.FailureOf(&f)
	}
	return event, nil
}

// progressEvery is the minimum time between two progress events of a stream.
const progressEvery = time.Second

// followJob answers GET /v1/jobs/{id}/events, with server-sent events.
func (s *Server) followJob(c echo.Context) error {
	job, err := s.job(c)
	if err != nil {
		return err
	}
	after, err := lastEventID(c)
	if err != nil {
		return err
	}
	over, err := s.over(c.Request().Context(), job, after)
	if err != nil {
		return err
	}
	if over {
		return c.NoContent(http.StatusNoContent)
	}
	giveBack, err := s.streams.take(c)
	if err != nil {
		return err
	}
	defer giveBack()
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // of nginx
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	f := &follower{s: s, c: c, id: job.ID, job: job, after: after}
	if err := f.run(); err != nil && c.Request().Context().Err() == nil {
		s.brokenAnswer(c, err)
	}
	return nil
}

// eventID is the form of an event's id: milliseconds, and a number.
var eventID = regexp.MustCompile(`^[0-9]{1,18}(-[0-9]{1,18})?$`)

// lastEventID is the id after which the stream continues; "" if it begins with the first event.
func lastEventID(c echo.Context) (string, error) {
	after := c.QueryParam("after")
	if c.QueryParams().Has("after") && !eventID.MatchString(after) {
		return "", invalidQuery("after", "%.40q is not an event id", after)
	}
	if values := c.Request().Header.Values("Last-Event-ID"); len(values) > 0 {
		sent := strings.Join(values, ", ")
		if !eventID.MatchString(sent) {
			return "", newProblem(api.CodeInvalidRequest, "Last-Event-ID %.40q is not an event id", sent)
		}
		return sent, nil
	}
	return after, nil
}

// over reports whether a job has ended and has no events after one that the client has seen. A
// browser whose stream has ended asks for more until the answer says that there is none.
func (s *Server) over(ctx context.Context, j state.Job, after string) (bool, error) {
	if after == "" || j.Phase != job.PhaseEnded {
		return false, nil
	}
	events, err := s.cfg.Jobs.Events(ctx, j.ID, after, 1)
	return len(events) == 0, err
}

// follower writes the events of one job to one client. It polls, because a blocking call would take
// a connection of the pool for every client: often at first, and then less and less often.
type follower struct {
	s     *Server
	c     echo.Context
	id    job.ID
	after string // id of the last event written

	job      state.Job    // as last read
	missed   time.Time    // since when the job is gone; zero: it is not
	wrote    time.Time    // when something was last written
	reported time.Time    // when the job was last read
	progress api.Progress // as last written
}

// How often a job is polled: after a twentieth of the time that it has been followed, within these
// limits.
const (
	minPoll = 20 * time.Millisecond
	maxPoll = 500 * time.Millisecond
)

func (f *follower) run() error {
	if err := f.write("retry: 1000\n\n"); err != nil { // ms; how long browsers wait before they reconnect
		return err
	}
	ctx, begun := f.c.Request().Context(), time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.s.ending:
			return nil
		case <-timer.C:
		}
		if ended, err := f.step(); ended || err != nil {
			return err
		}
		timer.Reset(min(max(time.Since(begun)/20, minPoll), maxPoll))
	}
}

// step writes what is new. It returns true when nothing more can come.
func (f *follower) step() (ended bool, err error) {
	ctx := f.c.Request().Context()
	var j state.Job
	look := time.Since(f.reported) >= progressEvery
	if look {
		// Before the events, so that all events of a job that has ended are read.
		if j, err = f.s.cfg.Jobs.Job(ctx, f.id); errors.Is(err, state.ErrNoJob) {
			return f.miss()
		} else if err != nil {
			return false, err
		}
		f.reported, f.missed = time.Now(), time.Time{}
		if f.job.Born != 0 && f.job.Born != j.Born {
			f.after = "" // the job was lost and restored: its events are other ones
		}
		f.job = j
	}
	events, err := f.s.cfg.Jobs.Events(ctx, f.id, f.after, 0)
	if err != nil {
		return false, err
	}
	for _, e := range events {
		event, err := eventOf(e)
		if err != nil {
			return false, err
		}
		if err := f.send(event); err != nil {
			return false, err
		}
		f.after = e.ID
		if event.Type == api.EventEnded {
			return true, nil
		}
	}
	if look {
		if err := f.report(j); err != nil {
			return false, err
		}
		// The client may have seen the event that says so, or it may be gone.
		if j.Phase == job.PhaseEnded && len(events) == 0 {
			return true, f.send(api.Event{Type: api.EventEnded, ID: cmp.Or(f.after, fmt.Sprintf("%d-0", j.Ended.UnixMilli()))})
		}
	}
	if time.Since(f.wrote) >= f.s.cfg.Heartbeat {
		return false, f.write(": still there\n\n")
	}
	return false, nil
}

// miss handles a job that is gone. It returns true when the job won't come back. The history of a
// job that had ended was removed. Redis has lost any other job with its data, and it is restored
// soon, unless its history has expired by now.
func (f *follower) miss() (ended bool, err error) {
	now := time.Now()
	if f.missed.IsZero() {
		f.missed = now
	}
	f.reported = now
	if f.job.Phase == job.PhaseEnded || now.Sub(f.missed) > f.s.cfg.Returns {
		return true, f.send(api.Event{Type: api.EventEnded})
	}
	if now.Sub(f.wrote) >= f.s.cfg.Heartbeat {
		return false, f.write(": it is gone\n\n")
	}
	return false, nil
}

// report writes the job's progress if it has changed.
func (f *follower) report(job state.Job) error {
	now := api.Progress{Map: job.Map, Reduce: job.Reduce}
	if now == f.progress {
		return nil
	}
	f.progress = now
	return f.send(api.Event{Type: api.EventProgress, At: api.TimeOf(time.Now()), State: job.State, Phase: job.Phase, Progress: &now})
}

func (f *follower) send(e api.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	id := ""
	if e.ID != "" {
		id = "id: " + e.ID + "\n"
	}
	return f.write(id + "event: " + e.Type + "\ndata: " + string(data) + "\n\n")
}

func (f *follower) write(text string) error {
	f.wrote = time.Now()
	if _, err := f.c.Response().Write([]byte(text)); err != nil {
		return err
	}
	return http.NewResponseController(f.c.Response()).Flush()
}
