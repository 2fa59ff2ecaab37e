package executor

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
)

// logUpload says how much of an attempt's log is on the store. The log is one object. It is
// replaced as the log grows while a client reads it, and for the last time when the attempt ends.
type logUpload struct {
	sharing atomic.Bool // an upload for a client that reads the log is under way

	mu    sync.Mutex // held during an upload, so that none overtakes another
	bytes int64      // guarded by mu: the log's length when it was last stored
	final bool       // guarded by mu: the last upload has begun
}

// shareLog starts to store the log so far, for a client that reads it, and returns at once.
func (e *Executor) shareLog(ctx context.Context, a *attempt) {
	if !e.cfg.KeepLogs || !a.upload.sharing.CompareAndSwap(false, true) {
		return
	}
	e.logs.Go(func() {
		defer a.upload.sharing.Store(false)
		e.storeLog(ctx, a)
	})
}

// storeLog stores the log so far, unless it is stored already. A failure does not matter to the
// attempt.
func (e *Executor) storeLog(ctx context.Context, a *attempt) {
	a.upload.mu.Lock()
	defer a.upload.mu.Unlock()
	if !a.upload.final {
		e.putLog(ctx, a, "")
	}
}

// finishLog stores the whole log, and after it the failure of the attempt if the program or its
// input is at fault.
func (e *Executor) finishLog(ctx context.Context, a *attempt, why error) {
	a.upload.mu.Lock()
	defer a.upload.mu.Unlock()
	a.upload.final = true
	end := ""
	if why != nil && classify(ctx, why) == job.ClassUser {
		end = fmt.Sprintf("[the attempt failed: %v]\n", why)
	}
	if user := badrecords.Fault(ctx, why); user != nil && user.Traceback != "" && !said(a.log.String(), user.Traceback) {
		end = strings.TrimRight(user.Traceback, "\n") + "\n" + end
	}
	e.putLog(ctx, a, end)
}

// said reports whether a log ends with a text.
func said(log, text string) bool {
	return strings.HasSuffix(strings.TrimRight(log, "\n"), strings.TrimRight(text, "\n"))
}

// putLog stores the log and more, unless all of it is stored already. The caller holds the upload's
// mutex.
func (e *Executor) putLog(ctx context.Context, a *attempt, more string) {
	log, length := a.log.kept()
	if !e.cfg.KeepLogs || length == a.upload.bytes && more == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	layout := layout.Layout{Prefix: e.workPrefix, Job: a.Attempt.Job}
	if _, err := e.work.Put(ctx, layout.Log(a.Attempt), append(log, more...)); err != nil {
		e.cfg.Log.Warn("storing an attempt's log failed", "job", a.Attempt.Job, "attempt", a.Attempt.Name(), "error", err)
		return
	}
	a.upload.bytes = length
}
