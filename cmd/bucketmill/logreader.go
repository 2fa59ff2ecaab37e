package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// logReader prints the logs of a job's attempts. It prints each part of a log once.
type logReader struct {
	*session
	id      job.ID
	running map[string]bool  // the attempts that ran at the last update
	shown   map[string]int64 // bytes of each log that were printed
	last    string           // the attempt whose name was printed last
	until   time.Time        // until then, wait for the log of a running attempt
}

const (
	// firstLog is how long a running attempt may take to store its log after the first request: a
	// heartbeat.
	firstLog = 7 * time.Second
	// logPause is the time between two requests for a log that does not exist yet, followPause the
	// time between two requests for logs that grow.
	logPause    = 200 * time.Millisecond
	followPause = time.Second
)

func (s *session) logReader(ctx context.Context, id job.ID) (*logReader, error) {
	l := &logReader{session: s, id: id, shown: map[string]int64{}, until: time.Now().Add(firstLog)}
	return l, l.update(ctx)
}

// update finds the running attempts.
func (l *logReader) update(ctx context.Context) error {
	active, err := l.Active(ctx)
	if err != nil {
		return err
	}
	l.running = map[string]bool{}
	for _, r := range running(active, l.id) {
		l.running[r.Attempt.Name()] = true
	}
	return nil
}

// noLog reports whether an error says that an attempt has no log, or none yet.
func noLog(err error) bool {
	p, ok := errors.AsType[*api.Problem](err)
	return ok && p.Code == api.CodeLogNotFound
}

// read returns an attempt's log. The log of a running attempt is stored only after the first
// request for it, so read waits for it.
func (l *logReader) read(ctx context.Context, attempt string) (text []byte, err error) {
	for {
		r, err := l.Log(ctx, l.id, attempt)
		if err == nil {
			text, err = io.ReadAll(r)
			return text, errors.Join(err, r.Close())
		}
		if !noLog(err) || !l.running[attempt] || time.Now().After(l.until) {
			return nil, err
		}
		if err := pause(ctx, logPause); err != nil {
			return nil, err
		}
	}
}

// printLog prints the new part of an attempt's log, below the attempt's name if named is true.
func (l *logReader) printLog(ctx context.Context, attempt string, named bool) error {
	text, err := l.read(ctx, attempt)
	if err != nil {
		return err
	}
	var missing int64 // bytes before the part that is kept
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if n, _ := fmt.Sscanf(string(first)+"\n", state.LogCut, &missing); n == 1 {
		text = rest
	}
	before, again := l.shown[attempt]
	l.shown[attempt] = missing + int64(len(text))
	if gap := missing - before; gap > 0 {
		text = append(fmt.Appendf(nil, "[%d bytes of the log are missing here]\n", gap), text...)
	} else {
		text = text[min(before-missing, int64(len(text))):]
	}
	if again && len(text) == 0 {
		return nil
	}
	if l.json {
		return logLines(l.out, attempt, bytes.NewReader(text))
	}
	if named && l.last != attempt {
		l.last = attempt
		fmt.Fprintf(l.out, "==> %s <==\n", attempt)
	}
	_, err = raw(l.out).Write(text)
	return err
}

// follow prints the logs of an attempt, of a task, or of all, as they grow, until the attempt, the
// task or the job has ended.
func (l *logReader) follow(ctx context.Context, which string) error {
	if _, err := sideOf(strings.SplitN(which, ".", 2)[0]); err != nil {
		return err
	}
	one := strings.Contains(which, ".")
	wanted := func(attempt string) bool {
		return which == "" || attempt == which || strings.HasPrefix(attempt, which+".")
	}
	l.until = time.Time{}
	grow := map[string]bool{}
	for {
		j, err := l.Job(ctx, l.id) // before the logs: if the job has ended, they are complete
		if err == nil {
			err = l.update(ctx)
		}
		if err != nil {
			return err
		}
		if j.Phase == job.PhaseEnded || j.Phase == job.PhaseKept {
			break
		}
		for attempt := range l.running {
			grow[attempt] = wanted(attempt)
		}
		for _, attempt := range slices.Sorted(maps.Keys(grow)) {
			if !grow[attempt] {
				continue
			}
			if err := l.printLog(ctx, attempt, !one); err != nil && !noLog(err) {
				return err
			}
			grow[attempt] = l.running[attempt] // if it has ended, its log is complete
		}
		if _, seen := grow[which]; one && seen && !l.running[which] {
			return nil
		}
		if which != "" && !one && !slices.ContainsFunc(slices.Collect(maps.Keys(l.running)), wanted) {
			done, err := l.committed(ctx, which)
			if err != nil {
				return err
			}
			if done {
				break
			}
		}
		if err := pause(ctx, followPause); err != nil {
			return err
		}
	}
	if one {
		return l.printLog(ctx, which, false)
	}
	return l.printLogs(ctx, which)
}

// committed reports whether a task is done.
func (l *logReader) committed(ctx context.Context, name string) (bool, error) {
	side, err := sideOf(name)
	if err != nil {
		return false, err
	}
	for task, err := range l.Tasks(ctx, l.id, side) {
		if err != nil || task.ID == name {
			return task.State == taskCommitted, err
		}
	}
	return false, nil // the task is not planned yet, or its job has just ended
}

// taskCommitted is the state of a task that is done.
const taskCommitted = "committed"

// pause waits for d, or returns the error of a context that ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
