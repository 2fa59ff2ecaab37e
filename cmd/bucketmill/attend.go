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

// tellOfWaiting says once for what is waited when a server misses a job that was there.
func (s *session) tellOfWaiting(w io.Writer, id job.ID) func(error) {
	told := time.Time{}
	return func(err error) {
		if time.Since(told) > time.Minute {
			told = time.Now()
			fmt.Fprintf(w, "bucketmill: the server can't tell how job %s is: %v\n"+
				"  If Redis has lost the job, it comes back within a minute. Waiting so long.\n", id, s.explain(err))
		}
	}
}

// attendance is how a job is attended.
type attendance struct {
	cancelOnInterrupt bool
	quiet             bool // show nothing but errors, and JSON where that is wanted
}

// attend shows how far a job is that is known to be there until it is settled, and reports its end as run does, in
// print and exit code. An interrupt leaves the job running, or cancels it.
func (s *session) attend(ctx context.Context, id job.ID, how attendance) error {
	outliveReader(s.out)
	ui := newUI(s.out, s.err)
	if ui.quiet = how.quiet; how.quiet {
		ui.close()
	}
	j, err := s.follow(ctx, id, ui)
	ui.close()
	if ctx.Err() != nil && !settled(j) {
		return s.leave(ctx, id, how.cancelOnInterrupt)
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
		if problem := new(api.Problem); errors.As(err, &problem) && problem.Code == api.CodeJobNotFound {
			fmt.Fprintf(s.err, "bucketmill: the server has forgotten job %s meanwhile, so the beginning of its output can't be shown: %v\n", id, err)
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

// leave says what becomes of a job that is no longer waited for.
func (s *session) leave(ctx context.Context, id job.ID, cancelIt bool) error {
	if !cancelIt {
		fmt.Fprintf(s.err, `bucketmill: interrupted; job %[1]s goes on. Watch it with "bucketmill status %[1]s --watch", or stop it with "bucketmill cancel %[1]s".`+"\n", id)
		return reportedError{errInterrupted}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWait) // the job must hear of it
	defer cancel()
	if _, err := s.Cancel(ctx, id); err != nil {
		return fmt.Errorf("cancel job %s, which may go on: %w", id, err)
	}
	fmt.Fprintf(s.err, "bucketmill: interrupted; job %s was cancelled\n", id)
	return reportedError{errInterrupted}
}

// follow shows how far a job is until it is settled, and returns it.
func (s *session) follow(ctx context.Context, id job.ID, ui *ui) (job api.Job, _ error) {
	if ui.live() {
		ctx, cancel := context.WithCancel(ctx)
		var moving sync.WaitGroup
		moving.Go(func() { s.moveBars(ctx, id, ui) })
		defer func() { cancel(); moving.Wait() }()
	}
	known := s.Knowing(s.tellOfWaiting(ui.log(), id))
	for e, err := range known.Events(ctx, id, "") {
		if err != nil {
			return job, gone(id, err)
		}
		if e.Type == api.EventProgress && e.Progress != nil {
			ui.progress(state.Job{ID: id, State: e.State, Phase: e.Phase, Map: e.Progress.Map, Reduce: e.Progress.Reduce}, nil)
			continue
		}
		if !mayEnd(e) {
			continue
		}
		if job, err = known.Job(ctx, id); err != nil {
			return job, gone(id, err)
		}
		if settled(job) {
			ui.progress(record(job), nil)
			return job, nil
		}
	}
	return job, errForgotten
}

// gone says of a job that did not come back what may have become of it.
func gone(id job.ID, err error) error {
	if problem := new(api.Problem); errors.As(err, &problem) && problem.Code == api.CodeJobNotFound {
		return fmt.Errorf("the server knows job %s no more: it had ended and its history is over, or Redis has lost it; "+
			"a job that completed has written _SUCCESS to its output", id)
	}
	return err
}

// errForgotten says that the events of a job have ended, and the job has not.
var errForgotten = errors.New("the server says no more of the job")

// moveBars shows also what is done of the tasks that run, which the stream does not tell. The
// stream says when something is wrong.
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

// running are the attempts of one job.
func running(active []api.ActiveAttempt, id job.ID) (attempts []state.Running) {
	for _, a := range active {
		attempt, err := job.ParseAttempt(id, fmt.Sprintf("%s.%d", a.Task, a.Number))
		if a.Job == id && err == nil {
			attempts = append(attempts, state.Running{Attempt: attempt, Progress: int(a.Progress * 1000)})
		}
	}
	return attempts
}

// eventKept is the type of the event that says that a failed job can be retried from now on.
const eventKept = "kept"

// mayEnd tells whether a job may be settled after an event. One that was retried has more of
// these in its past.
func mayEnd(e api.Event) bool {
	return e.State.Terminal() || e.Type == eventKept || e.Type == api.EventEnded
}

// settled tells whether a job's end is known, and what can be done about it: a job that has
// failed can be retried only when it is cleaned up.
func settled(j api.Job) bool {
	return j.State.Terminal() && (j.State != job.Failed || j.Phase != job.PhaseCleanup)
}

// record is a job as the reports of run have it.
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

// outcome is what a completed job's summary is made of.
func (s *session) outcome(job api.Job) (outcome, error) {
	spec, err := jobfile.Parse(job.Spec)
	if err != nil {
		return outcome{}, err
	}
	return outcome{
		job: record(job), spec: spec, counters: job.Counters, inputs: job.Inputs, inputBytes: job.InputBytes,
		left: left(job),
		head: func(ctx context.Context, part int) ([]byte, error) { return s.partHead(ctx, job.ID, part) },
	}, nil
}

func left(job api.Job) leftOut {
	return leftOut{passedOver: job.PassedOver, outputs: job.OldOutputs, own: job.OwnFolders, empty: job.EmptyInputs, firstEmpty: job.EmptyInput}
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
