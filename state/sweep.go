package state

import (
	"context"
	"errors"
	"fmt"
)

// Swept is what a sweep did.
type Swept struct {
	Phase Phase
	Lost  int // attempts given away
	Ready int // tasks that may be claimed now
}

// Sweep gives away all running attempts of a job whose leases are gone, or that have made no
// progress for as long as the job allows, and announces the job if it has ready tasks. A job that
// has ended is taken off the lists of work, and so is the id of one that is gone, with ErrNoJob.
func (s *Store) Sweep(ctx context.Context, id JobID, limits Limits) (Swept, error) {
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
	if swept.Phase == PhaseEnded {
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
func (s *Store) sweepAll(ctx context.Context, id JobID, limits Limits) (Swept, error) {
	var swept Swept
	for cursor := "0"; ; {
		reply, err := sweepScript.Run(ctx, s.rdb, s.jobKeys(id), limits.Lost, limits.User, cursor).Slice()
		if err != nil {
			return swept, fmt.Errorf("sweep %s: %w", id, err)
		}
		phase, _ := reply[0].(string)
		if phase == "gone" {
			return swept, fmt.Errorf("sweep %s: %w", id, ErrNoJob)
		}
		lost, _ := reply[1].(int64)
		ready, _ := reply[2].(int64)
		swept = Swept{Phase: Phase(phase), Lost: swept.Lost + int(lost), Ready: int(ready)}
		if cursor, _ = reply[3].(string); cursor == "0" {
			return swept, nil
		}
	}
}
