package state

import (
	"context"
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// readerTime is for how long a reader of a growing log is remembered. A reader that continues asks
// again much sooner; executors find out at their heartbeats, which come within this time.
const readerTime = 30 * time.Second

// ReadLog reports whether an attempt is running. If so, executors upload the logs of its job as
// they grow, for some time from now.
func (s *Store) ReadLog(ctx context.Context, a job.AttemptID) (running bool, err error) {
	running, err = s.rdb.HExists(ctx, s.runKey(a.Job), a.Name()).Result()
	if err == nil && running {
		err = s.rdb.Set(ctx, s.readerKey(a.Job), 1, readerTime).Err()
	}
	if err != nil {
		return false, fmt.Errorf("follow the log of %s: %w", a, err)
	}
	return running, nil
}

// LogCut is the format of a stored log's first line if earlier bytes of the log were dropped; it
// has their number.
const LogCut = "[the first %d bytes of the log are not kept]\n"
