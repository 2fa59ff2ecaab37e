package state

import (
	"context"
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// admissionGrace is how long a job counts that was admitted and is not there: its submission may be under way.
const admissionGrace = time.Minute

// Admit enters a job, before it is submitted or retried, among those of its submitter that have not ended, unless there
// are that many already. It tells whether the job is among them. Jobs are taken off only when there is no room: the
// record of a job says whether it has ended, so nothing has to be remembered for that when one ends.
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

// dropEnded takes jobs whose outcome is settled, and those that never came to be, off their submitter's.
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
		return fmt.Errorf("look which jobs of %s have ended: %w", by, err)
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
		return fmt.Errorf("take jobs of %s off that have ended: %w", by, err)
	}
	return nil
}
