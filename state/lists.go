package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// activate adds a job to the history and to the unended jobs.
func (s *Store) activate(ctx context.Context, id job.ID) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAddNX(ctx, s.jobsKey(), redis.Z{Score: float64(time.Now().UnixMilli()), Member: string(id)})
		p.SAdd(ctx, s.activeKey(), string(id))
		return nil
	})
	if err != nil {
		return fmt.Errorf("add %s to the lists: %w", id, err)
	}
	return nil
}

// Active returns the unended jobs.
func (s *Store) Active(ctx context.Context) ([]job.ID, error) {
	ids, err := s.rdb.SMembers(ctx, s.activeKey()).Result()
	if err != nil {
		return nil, fmt.Errorf("list active jobs: %w", err)
	}
	jobs := make([]job.ID, len(ids))
	for i, id := range ids {
		jobs[i] = job.ID(id)
	}
	return jobs, nil
}

// Remember checks the newest count jobs, and adds those that have not ended to the active jobs if
// they are missing there: a process that removed an id because its job did not exist yet may have
// died before it saw the job appear.
func (s *Store) Remember(ctx context.Context, count int) error {
	ids, err := s.History(ctx, 0, count)
	if err != nil {
		return err
	}
	phases := make([]*redis.StringCmd, len(ids))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			phases[i] = p.HGet(ctx, s.jobKey(id), "phase")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("find unlisted jobs: %w", err)
	}
	var active []any
	for i, id := range ids {
		phase, err := phases[i].Result()
		if errors.Is(err, redis.Nil) {
			continue // it has expired since
		}
		if err != nil {
			return fmt.Errorf("read whether job %s has ended: %w", id, err)
		}
		if job.Phase(phase) != job.PhaseEnded {
			active = append(active, string(id))
		}
	}
	if len(active) == 0 {
		return nil
	}
	if err := s.rdb.SAdd(ctx, s.activeKey(), active...).Err(); err != nil {
		return fmt.Errorf("list jobs again: %w", err)
	}
	return nil
}

// Enlist adds an unended job to the lists if it is missing: the script that created the job may
// have run late, after Redis had lost them.
func (s *Store) Enlist(ctx context.Context, id job.ID) error {
	phase, err := s.Phase(ctx, id)
	if errors.Is(err, ErrNoJob) || phase == job.PhaseEnded {
		return nil
	}
	if err != nil {
		return err
	}
	return s.activate(ctx, id)
}

// deactivate removes an ended or unknown job from the indexes of work.
func (s *Store) deactivate(ctx context.Context, id job.ID) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZRem(ctx, s.readyKey(), string(id))
		p.SRem(ctx, s.activeKey(), string(id))
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove %s from the lists: %w", id, err)
	}
	return nil
}

// dismiss removes an id without a job from the lists. The job may appear meanwhile: Submit adds it
// to the lists after its script, so either that happens after our removal, or we see the job here
// and add it again.
func (s *Store) dismiss(ctx context.Context, id job.ID) error {
	if err := s.deactivate(ctx, id); err != nil {
		return err
	}
	if known, err := s.Known(ctx, id); err != nil || !known {
		return err
	}
	if err := s.activate(ctx, id); err != nil {
		return err
	}
	return s.callController(ctx, id)
}
