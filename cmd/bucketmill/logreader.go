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

// logReader shows the logs of a job's attempts, of each what it has not shown yet.
type logReader struct {
	*session
	id      job.ID
	running map[string]bool  // the attempts that ran when the server was asked last
	shown   map[string]int64 // bytes of a log
	last    string           // the attempt below whose name we are
	until   time.Time        // for so long a log that grows is waited for if it is not there
}

const (
	// firstLog is how long a running attempt may take to store its log, once somebody reads it: a heartbeat.
	firstLog = 7 * time.Second
	// logPause is between two looks at a log that is waited for, followPause between two at those that grow.
	logPause    = 200 * time.Millisecond
	followPause = time.Second
)

func (s *session) logReader(ctx context.Context, id job.ID) (*logReader, error) {
	l := &logReader{session: s, id: id, shown: map[string]int64{}, until: time.Now().Add(firstLog)}
	return l, l.look(ctx)
}

// look finds out which attempts run.
func (l *logReader) look(ctx context.Context) error {
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

// noLog tells whether an error says that an attempt has left no log, or none yet.
func noLog(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Code == api.CodeLogNotFound
}

// read returns an attempt's log. That of one that runs is stored only once somebody has asked for it.
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

// printLog shows what is new in the log of an attempt, below its name if that is wanted.
func (l *logReader) printLog(ctx context.Context, attempt string, named bool) error {
	text, err := l.read(ctx, attempt)
	if err != nil {
		return err
	}
	var missing int64 // before what is kept
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if n, _ := fmt.Sscanf(string(first)+"\n", state.LogCut, &missing); n == 1 {
		text = rest
	}
	before, again := l.shown[attempt]
	l.shown[attempt] = missing + int64(len(text))
	if gap := missing - before; gap > 0 {
		text = append(fmt.Appendf(nil, "[%d bytes of the log that come here are not kept]\n", gap), text...)
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

// follow shows the logs of an attempt, of a task, or of all, as they grow, until the attempt, the task or the job has ended.
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
		j, err := l.Job(ctx, l.id) // before the logs: those of a job that has ended are whole
		if err == nil {
			err = l.look(ctx)
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
			grow[attempt] = l.running[attempt] // or this was the last of it
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

// committed tells whether a task is done.
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
	return false, nil // it is not planned yet, or its job has just ended
}

// taskCommitted is the state of a task that is done.
const taskCommitted = "committed"

// pause waits, or returns why that came to an early end.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
