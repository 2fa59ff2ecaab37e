package executor

import (
	"context"
	"fmt"
	"sync"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/objstore"
)

// task returns the splits of a map task.
func (job *jobContext) task(ctx context.Context, e *Executor, a *attempt, index int) (input.Task, error) {
	n, at := index/job.plan.PageSize, index%job.plan.PageSize
	for {
		page, ok := job.pages.page(n)
		if ok && at >= len(page) {
			return nil, fmt.Errorf("read the plan: page %d has %d tasks, task %d is wanted", n, len(page), at)
		}
		if ok {
			return page[at], nil
		}
		// Those that want another page come here again.
		if err := job.pages.reading.join(ctx, e, a, func(ctx context.Context, _ func()) error {
			return job.readPage(ctx, e.work, n)
		}); err != nil {
			return nil, err
		}
	}
}

func (job *jobContext) readPage(ctx context.Context, work objstore.Bucket, n int) error {
	if _, ok := job.pages.page(n); ok {
		return nil
	}
	key := job.layout.PlanPage(job.plan.Pages, n)
	data, err := objstore.ReadChecked(ctx, work, key)
	if err != nil {
		err = objstore.Withheld(ctx, work, key, err, func() error {
			_, err := objstore.ReadChecked(ctx, work, key)
			return err
		})
		return fmt.Errorf("read the plan: %w", err)
	}
	page, err := input.DecodePage(data)
	if err != nil {
		return err
	}
	job.pages.add(n, page)
	return nil
}

// cachedPages is how many pages of its plan an executor keeps per job.
const cachedPages = 4

// pageCache keeps pages of a job's plan; neighbouring tasks are on one page.
type pageCache struct {
	reading sharedCall

	mu    sync.Mutex
	pages map[int][]input.Task // guarded by mu
	order []int                // guarded by mu: oldest first
}

func (c *pageCache) page(n int) ([]input.Task, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	page, ok := c.pages[n]
	return page, ok
}

// add keeps a page, and drops the oldest if there are too many.
func (c *pageCache) add(n int, page []input.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pages == nil {
		c.pages = map[int][]input.Task{}
	}
	if c.order = append(c.order, n); len(c.order) > cachedPages {
		delete(c.pages, c.order[0])
		c.order = c.order[1:]
	}
	c.pages[n] = page
}
