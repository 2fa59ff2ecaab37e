package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// ExecutorInfo is what an executor reports about itself with its heartbeats. It is for people:
// nothing is decided by it.
type ExecutorInfo struct {
	ID       job.ExecutorID `json:"id"`
	Host     string         `json:"host"`
	Version  string         `json:"version"`
	Started  time.Time      `json:"started"`
	Seen     time.Time      `json:"seen"` // its last heartbeat
	Slots    int            `json:"slots"`
	Draining bool           `json:"draining"`         // no longer claims
	Benched  time.Time      `json:"benched,omitzero"` // until then its circuit breaker keeps it from claiming
	Running  []string       `json:"running"`          // attempts, "JOB/m12.1"
	CPU      float64        `json:"cpu"`              // cores in use since the previous heartbeat
	Memory   int64          `json:"memory"`           // resident bytes
}

// ReportExecutor records an executor's report. It is removed after ttl unless the executor reports
// again.
func (s *Store) ReportExecutor(ctx context.Context, info ExecutorInfo, ttl time.Duration) error {
	info.Seen = time.Now()
	text, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("encode executor: %w", err)
	}
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, s.executorKey(info.ID), text, ttl)
		p.ZAdd(ctx, s.executorsKey(), redis.Z{Score: float64(info.Seen.UnixMilli()), Member: string(info.ID)})
		return nil
	})
	if err != nil {
		return fmt.Errorf("report executor %s: %w", info.ID, err)
	}
	return nil
}

// lastReports is how many of the executors that reported last are read to find another one.
const lastReports = 16

// HasOthers reports whether another executor has reported lately and claims tasks.
func (s *Store) HasOthers(ctx context.Context, id job.ExecutorID) (bool, error) {
	ids, err := s.rdb.ZRevRange(ctx, s.executorsKey(), 0, lastReports-1).Result()
	if err != nil {
		return false, fmt.Errorf("look for other executors: %w", err)
	}
	for _, other := range ids {
		if job.ExecutorID(other) == id {
			continue
		}
		text, err := s.rdb.Get(ctx, s.executorKey(job.ExecutorID(other))).Bytes()
		if errors.Is(err, redis.Nil) {
			continue // it is gone
		}
		if err != nil {
			return false, fmt.Errorf("look for other executors: %w", err)
		}
		var info ExecutorInfo
		if err := json.Unmarshal(text, &info); err != nil {
			return false, fmt.Errorf("%w: executor %s: %w", ErrMalformed, other, err)
		}
		if !info.Draining {
			return true, nil
		}
	}
	return false, nil
}

// RemoveExecutor removes an executor that has stopped.
func (s *Store) RemoveExecutor(ctx context.Context, id job.ExecutorID) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, s.executorKey(id))
		p.ZRem(ctx, s.executorsKey(), string(id))
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove executor %s: %w", id, err)
	}
	return nil
}

// Executors returns the executors that have reported lately, by id. It removes the others.
func (s *Store) Executors(ctx context.Context) ([]ExecutorInfo, error) {
	ids, err := s.rdb.ZRange(ctx, s.executorsKey(), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list executors: %w", err)
	}
	texts := make([]*redis.StringCmd, len(ids))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			texts[i] = p.Get(ctx, s.executorKey(job.ExecutorID(id)))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("list executors: %w", err)
	}
	var (
		executors []ExecutorInfo
		gone      []any
	)
	for i, id := range ids {
		text, err := texts[i].Bytes()
		if errors.Is(err, redis.Nil) {
			gone = append(gone, id)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read executor %s: %w", id, err)
		}
		var info ExecutorInfo
		if err := json.Unmarshal(text, &info); err != nil {
			return nil, fmt.Errorf("%w: executor %s: %w", ErrMalformed, id, err)
		}
		executors = append(executors, info)
	}
	if len(gone) > 0 {
		if err := s.rdb.ZRem(ctx, s.executorsKey(), gone...).Err(); err != nil {
			return nil, fmt.Errorf("remove executors: %w", err)
		}
	}
	slices.SortFunc(executors, func(a, b ExecutorInfo) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return executors, nil
}
