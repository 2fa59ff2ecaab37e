package e2e

import (
	"testing"
	"time"
)

// Redis is killed during a job and restarts with its data.
func TestRedisIsKilledInMidJob(t *testing.T) {
	t.Attr("timing", "a fault must come while a job runs")
	t.Parallel()
	b := ownBackends(t)
	c, _, _ := newClusterOn(t, b, 2)
	n := c.slowCounting("redis", 40, 200*time.Millisecond)
	n.underway(2)
	b.redis.kill(t)
	b.redis.startAgain(t)
	n.unfinished()
	n.check()
}

// MinIO is killed during a job and restarts with its data.
func TestMinIOIsKilledInMidJob(t *testing.T) {
	t.Attr("timing", "a fault must come while a job runs")
	t.Parallel()
	b := ownBackends(t)
	c, _, _ := newClusterOn(t, b, 2)
	n := c.slowCounting("minio", 40, 200*time.Millisecond)
	n.underway(2)
	b.minio.kill(t)
	b.minio.startAgain(t)
	n.unfinished()
	n.check()
}
