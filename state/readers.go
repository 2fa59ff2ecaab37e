package state

import (
	"context"
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// readerTime is for how long a reader of a growing log is remembered. Readers that go on ask again, much sooner;
// heartbeats of executors, which find out by it, come within that time.
const readerTime = 30 * time.Second

// ReadLog tells whether an attempt runs. If it does, executors put the logs of its job on the store as they grow,
// for some time from now.
func (s *Store) ReadLog(ctx context.Context, a job.AttemptID) (running bool, err error) {
	running, err = s.rdb.HExists(ctx, s.runKey(a.Job), a.Name()).Result()
	if err == nil && running {
		err = s.rdb.Set(ctx, s.readerKey(a.Job), 1, readerTime).Err()
	}
	if err != nil {
		return false, fmt.Errorf("ask for the log of %s: %w", a, err)
	}
	return running, nil
}

// LogCut is the format of a stored log's first line with the number of bytes before it that are not kept.
const LogCut = "[the first %d bytes of the log are not kept]\n"
