package executor_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// turnstile lets reads of keys with a suffix pass one at a time.
type turnstile struct {
	suffix string
	pass   chan struct{}
}

func (s turnstile) fault(ctx context.Context, method, key string) error {
	if method != "get" || !strings.HasSuffix(key, s.suffix) {
		return nil
	}
	select {
	case <-s.pass:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Attempts that wait for a shared call make progress with each of its reads, and none while a read
// hangs.
func TestWaitingAttemptsProgress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, suffix string
		side         job.Side
		reads        int // that the turnstile stops
		spec         func(c *cluster) job.Spec
	}{
		// With this number of segments, the manifests are too large for Redis.
		{"manifests", ".manifest", job.Reduce, 4, func(c *cluster) job.Spec { return c.spec(300) }},
		{"program", ".held", job.Map, 3, func(c *cluster) job.Spec {
			spec := c.spec(1)
			spec.Program, spec.Kind = job.KindStreaming, job.KindStreaming
			spec.Mapper, spec.Reducer = "cat", `awk '{ n[$1]++ } END { for (w in n) print w "\t" n[w] }'`
			for i := range 3 {
				spec.ProgramFiles = append(spec.ProgramFiles, c.programFile(fmt.Sprintf("file%d.held", i)))
			}
			return spec
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			s := turnstile{test.suffix, make(chan struct{})}
			const beat = 20 * time.Millisecond
			c.executor("one", forEver, func(cfg *executor.Config) { cfg.Open, cfg.Heartbeat = faulty(c.open, s.fault), beat })
			id := c.submitSpec(test.spec(c))
			for range test.reads {
				var waiting []state.Running
				c.eventually("two attempts that hang", func() bool {
					waiting = c.running(id, test.side)
					return len(waiting) == 2 && time.Since(waiting[0].Progressed) > 5*beat && time.Since(waiting[1].Progressed) > 5*beat
				})
				s.pass <- struct{}{}
				c.eventually("progress of both, or their end", func() bool {
					for _, now := range c.running(id, test.side) {
						for _, before := range waiting {
							if now.Attempt == before.Attempt && !now.Progressed.After(before.Progressed) {
								return false
							}
						}
					}
					return true
				})
			}
			close(s.pass)
			c.completed(id)
		})
	}
}

// running returns the running attempts of one side of a job.
func (c *cluster) running(id job.ID, side job.Side) (attempts []state.Running) {
	c.t.Helper()
	all, err := c.store.Running(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, r := range all {
		if r.Attempt.Task.Side == side {
			attempts = append(attempts, r)
		}
	}
	return attempts
}

// programFile puts a program's file on the work store, as a submission does.
func (c *cluster) programFile(name string) job.ProgramFile {
	c.t.Helper()
	text := []byte("some text")
	work, prefix, err := c.open(c.t.Context(), c.path("work"))
	if err != nil {
		c.t.Fatal(err)
	}
	key := strings.Trim(prefix, "/") + "/" + name
	if _, err := work.Put(c.t.Context(), key, text); err != nil {
		c.t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return job.ProgramFile{Name: name, Artifact: &job.Artifact{Key: key, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text))}}
}
