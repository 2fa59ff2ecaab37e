package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/bucketmill/bucketmill/job"
)

// Swept is what a sweep did.
type Swept struct {
	Phase job.Phase
	Lost  int // attempts given away
	Ready int // tasks that may be claimed now
}

// Sweep gives away all running attempts of a job whose leases are gone, or that have made no
// progress for as long as the job allows, and announces the job if it has ready tasks. A job that
// has ended is taken off the lists of work, and so is the id of one that is gone, with ErrNoJob.
func (s *Store) Sweep(ctx context.Context, id job.ID, limits Limits) (Swept, error) {
	swept, err := s.sweepAll(ctx, id, limits.Or(DefaultLimits))
	if errors.Is(err, ErrNoJob) {
		return Swept{}, errors.Join(err, s.dismiss(ctx, id))
	}
	if err != nil {
		return swept, err
	}
	if swept.Lost > 0 {
		s.tell(ctx, id)
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

// decodeSwept reads what sweep.lua answers of a page: with its cursor the next one begins, if that is not 0.
func decodeSwept(v any) (page Swept, cursor string, err error) {
	r := sweepScript.replyOf(v)
	if len(r.items) == 1 && r.status("gone") == "gone" {
		return Swept{}, "", ErrNoJob
	}
	page.Phase = r.phase()
	page.Lost, page.Ready = int(r.integer("the number of attempts given away", 0)), int(r.integer("the number of ready tasks", 0))
	cursor = strconv.FormatUint(uint64(r.number("the cursor", 0)), 10)
	return page, cursor, r.done()
}
