package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// TaskState is the state of a task.
type TaskState string

const (
	TaskPending   TaskState = "pending"
	TaskRunning   TaskState = "running"
	TaskCommitted TaskState = "committed"
)

// Task is what is known about a task.
type Task struct {
	Task     job.TaskID
	State    TaskState
	Running  []Running     // running attempts
	Winner   *Committed    // the committed attempt, without its manifest; nil if there is none yet
	Failures []job.Failure // of its attempts, oldest first; only the newest 200 of the job are kept
}

// FailedTasks returns the tasks of an ended job that have failed attempts on record, map tasks
// first. Nothing else is kept about the tasks of such a job.
func (s *Store) FailedTasks(ctx context.Context, j Job) ([]Task, error) {
	failures, err := s.Failures(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	failed, err := byTask(j.ID, failures)
	if err != nil {
		return nil, err
	}
	tasks := make([]Task, 0, len(failed))
	for id, failures := range failed {
		task := Task{Task: id, State: TaskPending, Failures: failures}
		if j.State == job.Completed || slices.Contains(j.Recovered, id) {
			task.State = TaskCommitted
		}
		tasks = append(tasks, task)
	}
	slices.SortFunc(tasks, func(a, b Task) int {
		return cmp.Or(cmp.Compare(a.Task.Side, b.Task.Side), cmp.Compare(a.Task.Index, b.Task.Index))
	})
	return tasks, nil
}

// byTask groups failures by task. It leaves out failures of the job as a whole.
func byTask(id job.ID, failures []job.Failure) (map[job.TaskID][]job.Failure, error) {
	failed := map[job.TaskID][]job.Failure{}
	for _, f := range failures {
		if f.Attempt == "" {
			continue
		}
		a, err := job.ParseAttempt(id, f.Attempt)
		if err != nil {
			return nil, fmt.Errorf("%w: a failure of %s: %w", ErrMalformed, id, err)
		}
		failed[a.Task] = append(failed[a.Task], f)
	}
	return failed, nil
}

// Tasks returns up to count tasks of one side, from index first on.
func (s *Store) Tasks(ctx context.Context, j Job, side job.Side, first, count int) ([]Task, error) {
	total := j.Map.Total
	if side == job.Reduce {
		total = j.Reduce.Total
	}
	last := min(first+count, total)
	if first < 0 || first >= last {
		return nil, nil
	}
	indexes := make([]string, 0, last-first)
	for i := first; i < last; i++ {
		indexes = append(indexes, strconv.Itoa(i))
	}
	entries, err := s.rdb.HMGet(ctx, s.doneKey(j.ID, side), indexes...).Result()
	if err != nil {
		return nil, fmt.Errorf("list tasks of %s: %w", j.ID, err)
	}
	running, err := s.Running(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	failures, err := s.Failures(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	failed, err := byTask(j.ID, failures)
	if err != nil {
		return nil, err
	}
	tasks := make([]Task, last-first)
	for i := range tasks {
		tasks[i] = Task{Task: job.TaskID{Side: side, Index: first + i}, State: TaskPending}
		if entry, ok := entries[i].(string); ok {
			c, err := parseCommitted(j.ID, side, indexes[i], entry)
			if err != nil {
				return nil, err
			}
			c.Manifest = nil
			tasks[i].State, tasks[i].Winner = TaskCommitted, &c
		}
	}
	for _, r := range running {
		if i := r.Attempt.Task.Index - first; r.Attempt.Task.Side == side && i >= 0 && i < len(tasks) {
			tasks[i].Running = append(tasks[i].Running, r)
			if tasks[i].State == TaskPending {
				tasks[i].State = TaskRunning
			}
		}
	}
	for i := range tasks {
		tasks[i].Failures = failed[tasks[i].Task]
	}
	return tasks, nil
}

// Expired returns jobs that were submitted before a time and whose record no longer exists.
func (s *Store) Expired(ctx context.Context, before time.Time, count int) ([]job.ID, error) {
	ids, err := s.rdb.ZRangeByScore(ctx, s.jobsKey(), &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(before.UnixMilli(), 10), Count: int64(count),
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("list expired jobs: %w", err)
	}
	var expired []job.ID
	for _, id := range ids {
		known, err := s.Known(ctx, job.ID(id))
		if err != nil {
			return nil, err
		}
		if !known {
			expired = append(expired, job.ID(id))
		}
	}
	return expired, nil
}

// Oldest yields the jobs of the history that are in a phase, oldest first, up to atOnce at a time.
// The caller may erase the yielded jobs, or bring them to another phase.
func (s *Store) Oldest(ctx context.Context, in job.Phase, atOnce int) iter.Seq2[[]job.ID, error] {
	return func(yield func([]job.ID, error) bool) {
		for offset := 0; ; {
			ids, err := s.rdb.ZRange(ctx, s.jobsKey(), int64(offset), int64(offset+atOnce-1)).Result()
			if err != nil {
				yield(nil, fmt.Errorf("list old jobs: %w", err))
				return
			}
			var found []job.ID
			for _, id := range ids {
				phase, err := s.Phase(ctx, job.ID(id))
				if err != nil && !errors.Is(err, ErrNoJob) {
					yield(nil, err)
					return
				}
				if phase == in {
					found = append(found, job.ID(id))
				}
			}
			if len(found) > 0 && !yield(found, nil) || len(ids) < atOnce {
				return
			}
			// Erased jobs no longer precede those that follow.
			for _, id := range ids {
				listed, err := s.rdb.ZScore(ctx, s.jobsKey(), id).Result()
				if err != nil && !errors.Is(err, redis.Nil) {
					yield(nil, fmt.Errorf("list old jobs: %w", err))
					return
				}
				if listed > 0 {
					offset++
				}
			}
		}
	}
}

// Unlist removes jobs from the history.
func (s *Store) Unlist(ctx context.Context, ids ...job.ID) error {
	members := make([]any, len(ids))
	for i, id := range ids {
		members[i] = string(id)
	}
	if len(members) == 0 {
		return nil
	}
	if err := s.rdb.ZRem(ctx, s.jobsKey(), members...).Err(); err != nil {
		return fmt.Errorf("unlist jobs: %w", err)
	}
	return nil
}
