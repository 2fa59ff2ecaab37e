package executor

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// missedReports is how many heartbeats an executor may miss before it is no longer listed.
const missedReports = 6

// report sends the executor's description to Redis. It is for people only, so a failure is only
// logged.
func (e *Executor) report(ctx context.Context) {
	if e.info.ID == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		e.info.ID, e.info.Host, e.info.Version = e.cfg.ID, host, e.cfg.Version
		e.info.Started, e.info.Slots = time.Now(), e.cfg.Slots
	}
	e.info.Draining, e.info.Benched = e.draining.Load(), e.breaker.pausedUntil()
	e.info.Running = e.info.Running[:0]
	for _, a := range e.running() {
		e.info.Running = append(e.info.Running, a.Attempt.String())
	}
	e.info.CPU, e.info.Memory = e.usage.measure(), resident()
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Lease/3)
	defer cancel()
	if err := e.cfg.Store.ReportExecutor(ctx, e.info, missedReports*e.cfg.Heartbeat); err != nil && ctx.Err() == nil {
		e.cfg.Log.Warn("reporting the executor failed", "executor", e.cfg.ID, "error", err)
	}
}

// leave removes the executor from the list of executors.
func (e *Executor) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := e.cfg.Store.RemoveExecutor(ctx, e.cfg.ID); err != nil {
		e.cfg.Log.Debug("removing the executor from the list failed", "executor", e.cfg.ID, "error", err)
	}
}

// usage measures how busy the process and its children are.
type usage struct {
	at   time.Time
	used time.Duration
}

// measure returns the cores in use since the last call. A child process counts when it has ended.
func (u *usage) measure() float64 {
	var used time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err == nil {
			used += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
	}
	now := time.Now()
	cores := 0.0
	if !u.at.IsZero() && now.After(u.at) {
		cores = float64(used-u.used) / float64(now.Sub(u.at))
	}
	u.at, u.used = now, used
	return cores
}

// resident returns the process's resident memory in bytes, as the system reports it (Linux), or
// else the memory of Go's runtime.
func resident() int64 {
	var size, pages int64
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if n, err := fmt.Sscan(string(text), &size, &pages); err == nil && n == 2 {
			return pages * int64(os.Getpagesize())
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}
