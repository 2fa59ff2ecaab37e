package controller

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

const (
	// backupShare is the part of a job's running attempts, in percent, that may be backup
	// attempts; one may be in any case.
	backupShare = 10
	// backupAge is how long an attempt runs at least before it counts as a straggler.
	backupAge = 3 * time.Second
	// silence is how long an attempt may report no progress and still be expected to continue at
	// its pace: a few heartbeats.
	silence = 20 * time.Second
)

// straggler is an attempt that a second attempt would overtake.
type straggler struct {
	attempt job.AttemptID
	left    time.Duration // estimated
}

// backUp asks for backup attempts beside stragglers, once all tasks of the phase are claimed. An
// attempt is a straggler if, at its pace so far, it needs longer from now than attempts at such
// tasks took on average: then a second attempt is expected to end first.
func (c *Controller) backUp(ctx context.Context, id job.ID) error {
	j, err := c.cfg.Store.Job(ctx, id)
	if err != nil {
		return err
	}
	side, done := job.Map, j.Map
	if j.Phase == job.PhaseReduce {
		side, done = job.Reduce, j.Reduce
	}
	if hasWork(j.Phase) || done.Done == 0 || done.Claimed < done.Total {
		return nil
	}
	now, err := c.cfg.Store.Now(ctx)
	if err != nil {
		return err
	}
	running, err := c.cfg.Store.Running(ctx, id)
	if err != nil {
		return err
	}
	for _, s := range stragglers(running, side, now, done.Spent/time.Duration(done.Done)) {
		err := c.cfg.Store.Backup(ctx, s.attempt)
		if errors.Is(err, state.ErrStale) {
			continue // the attempt has just ended
		}
		if err != nil {
			return err
		}
		c.metrics.backups.Inc()
		c.cfg.Log.Info("straggler gets a backup attempt", "job", id, "attempt", s.attempt.Name(), "left", leftText(s.left))
	}
	return nil
}

// stragglers returns the running attempts that need backup attempts, the slowest first.
func stragglers(running []state.Running, side job.Side, now time.Time, average time.Duration) []straggler {
	attempts := map[job.TaskID]int{}
	total, doubled := 0, 0
	for _, r := range running {
		if r.Attempt.Task.Side != side {
			continue
		}
		total++
		if attempts[r.Attempt.Task]++; attempts[r.Attempt.Task] == 2 {
			doubled++
		}
	}
	var slow []straggler
	for _, r := range running {
		if r.Attempt.Task.Side != side || attempts[r.Attempt.Task] > 1 {
			continue
		}
		if left := timeLeft(r, now); now.Sub(r.Started) > max(backupAge, average) && left > average {
			slow = append(slow, straggler{r.Attempt, left})
		}
	}
	slices.SortFunc(slow, func(a, b straggler) int {
		return cmp.Or(cmp.Compare(b.left, a.left), cmp.Compare(a.attempt.Task.Index, b.attempt.Task.Index))
	})
	return slow[:min(len(slow), max(0, max(1, total*backupShare/100)-doubled))]
}

// never is how long an attempt has yet to run that makes no progress.
const never = time.Duration(1 << 62)

func leftText(left time.Duration) string {
	if left == never {
		return "no end in sight"
	}
	return left.Round(time.Second).String()
}

// timeLeft estimates how long an attempt has yet to run.
func timeLeft(r state.Running, now time.Time) time.Duration {
	age := now.Sub(r.Started)
	if r.Progress == 0 || now.Sub(r.Progressed) > silence {
		return never
	}
	return time.Duration(float64(age) * float64(1000-r.Progress) / float64(r.Progress))
}
