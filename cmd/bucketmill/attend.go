package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/state"
)

// reportWaiting returns a function that prints, at most once a minute, that the server does not
// find a job that existed, and that the command waits for it.
func (s *session) reportWaiting(w io.Writer, id job.ID) func(error) {
	reported := time.Time{}
	return func(err error) {
		if time.Since(reported) > time.Minute {
			reported = time.Now()
			fmt.Fprintf(w, "bucketmill: the server does not find job %s: %v\n"+
				"  If Redis has lost the job, it is restored within a minute. Waiting for that.\n", id, s.explain(err))
		}
	}
}

// attendOptions say how a job is attended.
type attendOptions struct {
	cancelOnInterrupt bool
	quiet             bool // print only errors, and JSON with --json
}

// attend shows the progress of an existing job until it has ended, and reports the end like run,
// with the same output and exit code. An interrupt leaves the job running, or cancels it.
func (s *session) attend(ctx context.Context, id job.ID, how attendOptions) error {
	outliveReader(s.out)
	ui := newUI(s.out, s.err)
	if ui.quiet = how.quiet; how.quiet {
		ui.close()
	}
	j, err := s.follow(ctx, id, ui)
	ui.close()
	if ctx.Err() != nil && !isOver(j) {
		return s.stopWaiting(ctx, id, how.cancelOnInterrupt)
	}
	if err != nil {
		return err
	}
	if s.json {
		if err := s.printJSON(j); err != nil {
			return err
		}
	}
	switch j.State {
	case job.Completed:
		if s.json || how.quiet {
			return nil
		}
		o, err := s.outcome(j)
		if err != nil {
			return err
		}
		err = ui.completed(ctx, o)
		if problem, ok := errors.AsType[*api.Problem](err); ok && problem.Code == api.CodeJobNotFound {
			fmt.Fprintf(s.err, "bucketmill: the server no longer knows job %s, so the beginning of its output can't be shown: %v\n", id, err)
			return nil
		}
		return err
	case job.Cancelled:
		fmt.Fprintf(s.err, "bucketmill: job %s: %s\n", id, reason(j).Message)
		return reportedError{errInterrupted}
	}
	fmt.Fprintf(s.err, "bucketmill: job failed: %s\n", reason(j).Message)
	return errors.Join(reportedError{errJobFailed}, s.analyse(ctx, s.err, j))
}

// stopWaiting prints what happens to a job when the command stops waiting for it.
func (s *session) stopWaiting(ctx context.Context, id job.ID, cancelIt bool) error {
	if !cancelIt {
		fmt.Fprintf(s.err, `bucketmill: interrupted; job %[1]s continues. Watch it with "bucketmill status %[1]s --watch", or stop it with "bucketmill cancel %[1]s".`+"\n", id)
		return reportedError{errInterrupted}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWait) // ctx has ended, but the job must be cancelled
	defer cancel()
	if _, err := s.Cancel(ctx, id); err != nil {
		return fmt.Errorf("cancel job %s, which may still run: %w", id, err)
	}
	fmt.Fprintf(s.err, "bucketmill: interrupted; job %s was cancelled\n", id)
	return reportedError{errInterrupted}
}

// follow shows the progress of a job until it has ended, and returns the job.
func (s *session) follow(ctx context.Context, id job.ID, ui *ui) (job api.Job, _ error) {
	if ui.live() {
		ctx, cancel := context.WithCancel(ctx)
		var moving sync.WaitGroup
		moving.Go(func() { s.moveBars(ctx, id, ui) })
		defer func() { cancel(); moving.Wait() }()
	}
	known := s.Knowing(s.reportWaiting(ui.log(), id))
	for e, err := range known.Events(ctx, id, "") {
		if err != nil {
			return job, explainMissing(id, err)
		}
		if e.Type == api.EventProgress && e.Progress != nil {
			ui.progress(state.Job{ID: id, State: e.State, Phase: e.Phase, Map: e.Progress.Map, Reduce: e.Progress.Reduce}, nil)
			continue
		}
		if !mayEnd(e) {
			continue
		}
		if job, err = known.Job(ctx, id); err != nil {
			return job, explainMissing(id, err)
		}
		if isOver(job) {
			ui.progress(record(job), nil)
			return job, nil
		}
	}
	return job, errForgotten
}

// explainMissing explains what may have happened to a job that was not restored.
func explainMissing(id job.ID, err error) error {
	if problem, ok := errors.AsType[*api.Problem](err); ok && problem.Code == api.CodeJobNotFound {
		return fmt.Errorf("the server no longer knows job %s: the job ended and its history has expired, or Redis has lost it; "+
			"a job that completed has written _SUCCESS to its output", id)
	}
	return err
}

// errForgotten says that the events of a job ended before the job.
var errForgotten = errors.New("the server sends no more events of the job")

// moveBars adds the progress of running tasks, which is not in the stream of events. It ignores
// errors, since the stream reports them.
func (s *session) moveBars(ctx context.Context, id job.ID, ui *ui) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		job, err := s.Job(ctx, id)
		if err == nil {
			var active []api.ActiveAttempt
			if active, err = s.Active(ctx); err == nil {
				ui.progress(record(job), running(active, id))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// running returns the attempts of one job.
func running(active []api.ActiveAttempt, id job.ID) (attempts []state.Running) {
	for _, a := range active {
		attempt, err := job.ParseAttempt(id, fmt.Sprintf("%s.%d", a.Task, a.Number))
		if a.Job == id && err == nil {
			attempts = append(attempts, state.Running{Attempt: attempt, Progress: int(a.Progress * 1000)})
		}
	}
	return attempts
}

// eventKept is the type of the event after which a failed job can be retried.
const eventKept = "kept"

// mayEnd reports whether a job may be over after an event. A job that was retried has such
// events in its past.
func mayEnd(e api.Event) bool {
	return e.State.Terminal() || e.Type == eventKept || e.Type == api.EventEnded
}

// isOver reports whether a job has ended for its user: a failed job only after its clean-up, since
// it can't be retried before.
func isOver(j api.Job) bool {
	return j.State.Terminal() && (j.State != job.Failed || j.Phase != job.PhaseCleanup)
}

// record returns a job in the form that the reports of run use.
func record(job api.Job) state.Job {
	r := state.Job{
		ID: job.ID, Name: job.Name, Priority: job.Priority, State: job.State, Phase: job.Phase,
		Map: job.Progress.Map, Reduce: job.Progress.Reduce,
	}
	if job.Times.Submitted != nil {
		r.Submitted = job.Times.Submitted.Time
	}
	if job.Times.Ended != nil {
		r.Ended = job.Times.Ended.Time
	}
	return r
}

// outcome returns the content of a completed job's summary.
func (s *session) outcome(job api.Job) (outcome, error) {
	spec, err := jobfile.Parse(job.Spec)
	if err != nil {
		return outcome{}, err
	}
	return outcome{
		job: record(job), spec: spec, counters: job.Counters, inputs: job.Inputs, inputBytes: job.InputBytes,
		unread: unreadOf(job),
		head:   func(ctx context.Context, part int) ([]byte, error) { return s.partHead(ctx, job.ID, part) },
	}, nil
}

func unreadOf(job api.Job) unread {
	return unread{hidden: job.PassedOver, outputs: job.OldOutputs, own: job.OwnFolders, empty: job.EmptyInputs, firstEmpty: job.EmptyInput}
}

// partHead reads the beginning of a part of a job's output.
func (s *session) partHead(ctx context.Context, id job.ID, part int) (head []byte, err error) {
	r, err := s.Part(ctx, id, part)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(io.LimitReader(r, shownBytes))
}
