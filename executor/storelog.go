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

// logUpload is how far an attempt's log is on the store. It is one object, which is replaced as the log grows while
// somebody reads it, and last when the attempt ends.
type logUpload struct {
	sharing atomic.Bool // an upload for a reader is under way

	mu    sync.Mutex // held for an upload, so that none overtakes another
	bytes int64      // guarded by mu: the log's length when it was last stored
	final bool       // guarded by mu: nothing follows
}

// shareLog puts what the program has said so far on the store, for somebody who reads it. It does not wait for that.
func (e *Executor) shareLog(ctx context.Context, a *attempt) {
	if !e.cfg.KeepLogs || !a.upload.sharing.CompareAndSwap(false, true) {
		return
	}
	e.logs.Go(func() {
		defer a.upload.sharing.Store(false)
		e.storeLog(ctx, a)
	})
}

// storeLog puts what the program has said so far on the store, unless it is there. That it can't is no reason to fail.
func (e *Executor) storeLog(ctx context.Context, a *attempt) {
	a.upload.mu.Lock()
	defer a.upload.mu.Unlock()
	if !a.upload.final {
		e.putLog(ctx, a, "")
	}
}

// finishLog puts all that the program said on the store, and how it or its input failed the attempt, if so.
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

// said tells whether a log ends with a text.
func said(log, text string) bool {
	return strings.HasSuffix(strings.TrimRight(log, "\n"), strings.TrimRight(text, "\n"))
}

// putLog puts the log and more on the store, unless it is all there. Its caller holds the upload's mutex.
func (e *Executor) putLog(ctx context.Context, a *attempt, more string) {
	log, length := a.log.kept()
	if !e.cfg.KeepLogs || length == a.upload.bytes && more == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	layout := layout.Layout{Prefix: e.workPrefix, Job: a.Attempt.Job}
	if _, err := e.work.Put(ctx, layout.Log(a.Attempt), append(log, more...)); err != nil {
		e.cfg.Log.Warn("store an attempt's log", "job", a.Attempt.Job, "attempt", a.Attempt.Name(), "error", err)
		return
	}
	a.upload.bytes = length
}
