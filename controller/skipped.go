package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// publishSkipped copies the bad records that the job's tasks have saved to the output and, in an
// output that is overwritten, removes those of others. It may be done again. If the store has lost
// or damaged some of the records, it returns the attempts that saved them, and has removed nothing.
func (s *step) publishSkipped(ctx context.Context, counters map[string]int64) ([]layout.SuccessSkipped, []state.Lost, error) {
	l, err := s.layout()
	if err != nil {
		return nil, nil, err
	}
	var lost losses
	tasks := job.SkippedTasks(counters)
	err = each(ctx, maps.Keys(tasks), func(ctx context.Context, task job.TaskID) error {
		won, ok, err := s.cfg.Store.Winner(ctx, s.job.ID, task)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%s has saved bad records, but is not committed", task)
		}
		if err := s.stillIn(ctx); err != nil {
			return err
		}
		err = copySkipped(ctx, s.out.bucket, s.out.key(layout.SkippedName(task)), s.work, l.Skipped(won.Attempt))
		if errors.Is(err, errLostRecords) {
			lost.add(won.Attempt, err)
			return nil
		}
		return err
	})
	if lost := lost.sorted(); err != nil || len(lost) > 0 {
		return nil, lost, err
	}
	if s.spec.Overwrite {
		if err := s.deleteOldSkipped(ctx, tasks); err != nil {
			return nil, nil, err
		}
	}
	return listSkipped(tasks), nil, nil
}

// listSkipped lists the objects with the tasks' bad records, by side and index.
func listSkipped(tasks map[job.TaskID]int64) []layout.SuccessSkipped {
	ids := slices.SortedFunc(maps.Keys(tasks), compareTasks)
	var list []layout.SuccessSkipped
	for _, task := range ids {
		list = append(list, layout.SuccessSkipped{Name: layout.SkippedName(task), Records: tasks[task]})
	}
	return list
}

// errLostRecords is that the store has lost or damaged the bad records that a task has saved.
var errLostRecords = errors.New("the saved bad records are lost")

// skippedReads is how often records are read that are not as they were written, before they count
// as lost: bytes may be damaged on their way.
const skippedReads = 3

// copySkipped copies the bad records that an attempt has saved.
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

// deleteOldSkipped removes the bad records of the job that is overwritten, of tasks that have none
// now.
func (s *step) deleteOldSkipped(ctx context.Context, tasks map[job.TaskID]int64) error {
	old, err := s.out.find(ctx, layout.SkippedFolder+"/", func(key string) bool {
		task, ok := skippedTask(key)
		return ok && tasks[task] == 0 && key == s.out.key(layout.SkippedName(task))
	})
	if err != nil {
		return err
	}
	return s.deleteOld(ctx, old...)
}

// skippedTask reads the task from the key of its bad records, if it is such a key.
func skippedTask(key string) (job.TaskID, bool) {
	name := strings.TrimSuffix(key[strings.LastIndexByte(key, '/')+1:], ".jsonl")
	task, err := job.ParseTask(name)
	return task, err == nil
}

// unpublishSkipped deletes the objects with bad records that are this job's.
func (s *step) unpublishSkipped(ctx context.Context) error {
	counters, err := s.cfg.Store.Counters(ctx, s.job.ID)
	if err != nil {
		return err
	}
	return each(ctx, maps.Keys(job.SkippedTasks(counters)), func(ctx context.Context, task job.TaskID) error {
		key := s.out.key(layout.SkippedName(task))
		mine, err := beginsWith(ctx, s.out.bucket, key, fmt.Sprintf(`{"job":%q,`, s.job.ID))
		if err != nil || !mine {
			return err
		}
		return s.deleteOld(ctx, key)
	})
}
