package state

import (
	"context"
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// admissionGrace is how long an admitted job counts that does not exist: its submission may be
// under way.
const admissionGrace = time.Minute

// Admit counts a job among the unended jobs of its submitter before it is submitted or retried,
// unless there are already most of them. It reports whether the job is counted. Ended jobs are
// removed only when there is no room: a job's record says whether it has ended, so nothing has to
// be updated when a job ends.
func (s *Store) Admit(ctx context.Context, by string, id job.ID, most int) (bool, error) {
	admitted, err := s.admit(ctx, by, id, most)
	if err != nil || admitted {
		return admitted, err
	}
	if err := s.dropEnded(ctx, by); err != nil {
		return false, err
	}
	return s.admit(ctx, by, id, most)
}

func (s *Store) admit(ctx context.Context, by string, id job.ID, most int) (bool, error) {
	v, err := admitScript.call(ctx, s.rdb, []string{s.submitterKey(by)}, string(id), most)
	if err != nil {
		return false, fmt.Errorf("admit %s: %w", id, err)
	}
	r := admitScript.replyOfOne(v)
	admitted := r.yes("whether the job is admitted")
	return admitted, r.done()
}

// dropEnded removes jobs that have ended, and those that were never created, from their
// submitter's.
func (s *Store) dropEnded(ctx context.Context, by string) error {
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	jobs, err := s.rdb.ZRangeWithScores(ctx, s.submitterKey(by), 0, -1).Result()
	if err != nil {
		return fmt.Errorf("list the jobs of %s: %w", by, err)
	}
	states := make([]*redis.SliceCmd, len(jobs))
	if _, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, j := range jobs {
			states[i] = p.HMGet(ctx, s.jobKey(job.ID(fmt.Sprint(j.Member))), "state")
		}
		return nil
	}); err != nil {
		return fmt.Errorf("find the ended jobs of %s: %w", by, err)
	}
	young := float64(now.Add(-admissionGrace).UnixMilli())
	var over []any
	for i, j := range jobs {
		text, known := states[i].Val()[0].(string)
		if known && job.State(text).Terminal() || !known && j.Score < young {
			over = append(over, j.Member)
		}
	}
	if len(over) == 0 {
		return nil
	}
	if err := s.rdb.ZRem(ctx, s.submitterKey(by), over...).Err(); err != nil {
		return fmt.Errorf("remove the ended jobs of %s: %w", by, err)
	}
	return nil
}
