package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// publishSkipped copies what the job's tasks have set aside to its output, and, of an output
// that is overwritten, removes what others had. It may be done again. It returns the attempts whose records
// the store has lost or damaged; then nothing was removed.
func (c *Controller) publishSkipped(ctx context.Context, j state.Job, spec job.Spec, out objstore.Bucket, prefix string, counters map[string]int64) ([]layout.SuccessSkipped, []state.Lost, error) {
	l, err := c.layout(j)
	if err != nil {
		return nil, nil, err
	}
	tasks := job.SkippedTasks(counters)
	var (
		mu   sync.Mutex
		lost []state.Lost
	)
	g, copying := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for task := range tasks {
		g.Go(func() error {
			won, ok, err := c.cfg.Store.Winner(copying, j.ID, task)
			if err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("%s has set records aside, but is not committed", task)
			}
			if err := c.stillIn(copying, j); err != nil {
				return err
			}
			err = copySkipped(copying, out, outputName(prefix, layout.SkippedName(task)), c.work, l.Skipped(won.Attempt))
			if errors.Is(err, errLostRecords) {
				mu.Lock()
				defer mu.Unlock()
				lost = append(lost, state.Lost{Attempt: won.Attempt, Why: err.Error()})
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil || len(lost) > 0 {
		slices.SortFunc(lost, func(a, b state.Lost) int { return compareTasks(a.Attempt.Task, b.Attempt.Task) })
		return nil, lost, err
	}
	if spec.Overwrite {
		if err := c.deleteOldSkipped(ctx, j, out, prefix, tasks); err != nil {
			return nil, nil, err
		}
	}
	return listSkipped(tasks), nil, nil
}

func compareTasks(a, b job.TaskID) int {
	return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.Index, b.Index))
}

// listSkipped lists the objects with the tasks' records, by side and index.
func listSkipped(tasks map[job.TaskID]int64) []layout.SuccessSkipped {
	ids := slices.SortedFunc(maps.Keys(tasks), compareTasks)
	var list []layout.SuccessSkipped
	for _, task := range ids {
		list = append(list, layout.SuccessSkipped{Name: layout.SkippedName(task), Records: tasks[task]})
	}
	return list
}

// errLostRecords is that the store has lost or damaged what a task has set aside.
var errLostRecords = errors.New("the records that were set aside are lost")

// skippedReads is how often records are read that are not what was written, before they count as lost: bytes
// may be damaged on their way.
const skippedReads = 3

// copySkipped copies the records that an attempt has set aside.
func copySkipped(ctx context.Context, to objstore.Bucket, toKey string, from objstore.Bucket, fromKey string) error {
	if _, err := from.Stat(ctx, fromKey); isNotFound(err) {
		return fmt.Errorf("%w: %w", errLostRecords, err)
	} else if err != nil {
		return err
	}
	for read := 1; ; read++ {
		w, err := to.Create(ctx, toKey)
		if err != nil {
			return err
		}
		err = objstore.CopyChecked(ctx, w, from, fromKey)
		if err == nil {
			_, err = w.Commit()
			return err
		}
		err = objstore.Withheld(ctx, from, fromKey, err, func() error {
			return objstore.CopyChecked(ctx, io.Discard, from, fromKey)
		})
		err = errors.Join(err, w.Abort())
		switch {
		case !errors.Is(err, objstore.ErrCorrupt):
			return err
		case read == skippedReads:
			return fmt.Errorf("%w: %w", errLostRecords, err)
		}
	}
}

// deleteOldSkipped removes what the job that is overwritten had set aside, by tasks that have
// nothing now.
func (c *Controller) deleteOldSkipped(ctx context.Context, job state.Job, out objstore.Bucket, prefix string, tasks map[job.TaskID]int64) error {
	var old []string
	for o, err := range out.List(ctx, outputName(prefix, layout.SkippedFolder)+"/") {
		if isNotFound(err) {
			break
		}
		if err != nil {
			return err
		}
		task, ok := skippedTask(o.Key)
		if ok && tasks[task] == 0 && o.Key == outputName(prefix, layout.SkippedName(task)) {
			old = append(old, o.Key)
		}
	}
	if len(old) == 0 {
		return nil
	}
	if err := c.stillIn(ctx, job); err != nil {
		return err
	}
	return out.Delete(ctx, old...)
}

// skippedTask reads the task from the key of what it has set aside, if it is one.
func skippedTask(key string) (job.TaskID, bool) {
	name := strings.TrimSuffix(key[strings.LastIndexByte(key, '/')+1:], ".jsonl")
	task, err := job.ParseTask(name)
	return task, err == nil
}

// unpublishSkipped deletes those objects of records set aside that are this job's.
func (c *Controller) unpublishSkipped(ctx context.Context, j state.Job, out objstore.Bucket, prefix string) error {
	counters, err := c.cfg.Store.Counters(ctx, j.ID)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for task := range job.SkippedTasks(counters) {
		g.Go(func() error {
			key := outputName(prefix, layout.SkippedName(task))
			mine, err := beginsWith(ctx, out, key, fmt.Sprintf(`{"job":%q,`, j.ID))
			if err != nil || !mine {
				return err
			}
			if err := c.stillIn(ctx, j); err != nil {
				return err
			}
			return out.Delete(ctx, key)
		})
	}
	return g.Wait()
}

// beginsWith tells whether an object is there and begins with a text.
func beginsWith(ctx context.Context, b objstore.Bucket, key, text string) (ok bool, err error) {
	r, err := b.Get(ctx, key, 0, int64(len(text)))
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	head, err := io.ReadAll(r)
	return string(head) == text, err
}
