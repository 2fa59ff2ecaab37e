package controller

import (
	"context"
	"iter"

	"github.com/bucketmill/bucketmill/controller/planner"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// page describes some of a job's map tasks.
type page struct {
	number int // from 0
	tasks  []input.Task
}

// storePages writes the pages of a plan. It has no more pages in memory than requests under way.
func (s *step) storePages(ctx context.Context, layout layout.Layout, pages string, tasks iter.Seq[input.Task]) error {
	return each(ctx, cutPages(tasks, planner.PageSize), func(ctx context.Context, p page) error {
		data, err := input.EncodePage(p.tasks)
		if err != nil {
			return err
		}
		_, err = s.work.Put(ctx, layout.PlanPage(pages, p.number), objstore.Checked(data))
		return err
	})
}

// cutPages yields pages of up to size tasks each.
func cutPages(tasks iter.Seq[input.Task], size int) iter.Seq[page] {
	return func(yield func(page) bool) {
		var p page
		for task := range tasks {
			if p.tasks = append(p.tasks, task); len(p.tasks) == size {
				if !yield(p) {
					return
				}
				p = page{number: p.number + 1}
			}
		}
		if len(p.tasks) > 0 {
			yield(p)
		}
	}
}
