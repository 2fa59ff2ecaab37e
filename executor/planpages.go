package executor

import (
	"context"
	"fmt"
	"sync"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/objstore"
)

// cachedPages is how many pages of a job's plan an executor keeps.
const cachedPages = 4

// pageCache keeps the pages of a job's plan that were read last. Neighbouring tasks are on one
// page.
type pageCache struct {
	reading sharedCall

	mu    sync.Mutex
	pages recent[int, []input.Task] // guarded by mu
}

func (c *pageCache) get(page int) ([]input.Task, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pages.get(page)
}

func (c *pageCache) add(page int, tasks []input.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pages.add(page, tasks)
}

// task returns the splits of a map task, for an attempt.
func (j *jobContext) task(ctx context.Context, e *Executor, a *attempt, index int) (input.Task, error) {
	page, at := index/j.plan.PageSize, index%j.plan.PageSize
	for {
		tasks, ok := j.pages.get(page)
		if ok && at >= len(tasks) {
			return nil, fmt.Errorf("read the plan: page %d has %d tasks and no task %d", page, len(tasks), at)
		}
		if ok {
			return tasks[at], nil
		}
		// If the call under way reads another page, the loop comes here again.
		if err := j.pages.reading.join(ctx, e, a, func(ctx context.Context, _ func()) error {
			return j.readPage(ctx, e.work, page)
		}); err != nil {
			return nil, err
		}
	}
}

// readPage reads a page of the plan, unless it is kept already.
func (j *jobContext) readPage(ctx context.Context, work objstore.Bucket, page int) error {
	if _, ok := j.pages.get(page); ok {
		return nil
	}
	key := j.layout.PlanPage(j.plan.Pages, page)
	data, err := objstore.ReadChecked(ctx, work, key)
	if err != nil {
		err = objstore.Withheld(ctx, work, key, err, func() error {
			_, err := objstore.ReadChecked(ctx, work, key)
			return err
		})
		return fmt.Errorf("read the plan: %w", err)
	}
	tasks, err := input.DecodePage(data)
	if err != nil {
		return err
	}
	j.pages.add(page, tasks)
	return nil
}
