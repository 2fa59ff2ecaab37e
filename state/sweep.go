package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/bucketmill/bucketmill/job"
)

// Swept is the result of a sweep.
type Swept struct {
	Phase job.Phase
	Lost  int // reassigned attempts
	Ready int // tasks that are ready now
}

// Sweep reassigns all running attempts of a job whose leases are gone, or that have made no
// progress for as long as the job allows, and announces the job if it has ready tasks. It removes
// an ended job from the lists of work, and also the id of a job that no longer exists, for which it
// fails with ErrNoJob.
func (s *Store) Sweep(ctx context.Context, id job.ID, limits Limits) (Swept, error) {
	swept, err := s.sweepAll(ctx, id, limits.Or(DefaultLimits))
	if errors.Is(err, ErrNoJob) {
		return Swept{}, errors.Join(err, s.dismiss(ctx, id))
	}
	if err != nil {
		return swept, err
	}
	if swept.Lost > 0 {
		s.sendNews(ctx, id)
	}
	if swept.Phase == job.PhaseEnded {
		return swept, s.deactivate(ctx, id)
	}
	if swept.Ready == 0 {
		return swept, nil
	}
	if known, err := s.announced(ctx, id); err != nil || known {
		return swept, err
	}
	return swept, s.announce(ctx, id, swept.Ready)
}

// sweepAll runs the sweep script page by page.
func (s *Store) sweepAll(ctx context.Context, id job.ID, limits Limits) (Swept, error) {
	var swept Swept
	for cursor := "0"; ; {
		v, err := sweepScript.call(ctx, s.rdb, s.jobKeys(id), limits.Lost, limits.User, cursor)
		var page Swept
		if err == nil {
			page, cursor, err = decodeSwept(v)
		}
		if err != nil {
			return swept, fmt.Errorf("sweep %s: %w", id, err)
		}
		swept = Swept{Phase: page.Phase, Lost: swept.Lost + page.Lost, Ready: page.Ready}
		if cursor == "0" {
			return swept, nil
		}
	}
}

// decodeSwept decodes the reply of sweep.lua for one page. The next page begins at its cursor; 0:
// there is none.
func decodeSwept(v any) (page Swept, cursor string, err error) {
	r := sweepScript.replyOf(v)
	if len(r.items) == 1 && r.status("gone") == "gone" {
		return Swept{}, "", ErrNoJob
	}
	page.Phase = r.phase()
	page.Lost, page.Ready = int(r.integer("the number of reassigned attempts", 0)), int(r.integer("the number of ready tasks", 0))
	cursor = strconv.FormatUint(uint64(r.number("the cursor", 0)), 10)
	return page, cursor, r.done()
}
