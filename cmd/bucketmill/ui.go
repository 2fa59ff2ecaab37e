package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// ui shows the progress of a job: with bars if stderr is a terminal, else with a line from time to
// time. The result goes to stdout, everything else to stderr.
type ui struct {
	out, err io.Writer
	begun    time.Time

	quiet bool // show no progress

	mu   sync.Mutex
	bars *mpb.Progress         // guarded by mu: nil without a terminal, and after close
	side map[job.Side]*sideBar // guarded by mu
	said string                // guarded by mu: the last line, without its time
	at   time.Time             // guarded by mu: the time of said
}

// progressEvery is the time between two lines about the same phase.
const progressEvery = 5 * time.Second

// barWidth is the width of a bar, in columns.
const barWidth = 48

func newUI(out, err io.Writer) *ui {
	u := &ui{out: out, err: err, begun: time.Now(), side: map[job.Side]*sideBar{}}
	if f := terminalOf(err); f != nil {
		u.bars = mpb.New(mpb.WithOutput(f), mpb.WithRefreshRate(100*time.Millisecond), mpb.WithWidth(barWidth))
	}
	return u
}

// live reports whether there are bars to update.
func (u *ui) live() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.bars != nil
}

// log returns the writer for log lines, which appear above the bars.
func (u *ui) log() io.Writer { return writerFunc(u.write) }

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (u *ui) write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bars == nil {
		return u.err.Write(p)
	}
	if _, err := u.bars.Write(quoteAll(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// programLog prints a line that a user's program wrote to standard error.
func (u *ui) programLog(a job.AttemptID, line []byte) {
	line = append(bytes.TrimRight([]byte(fmt.Sprintf("[%s] %s", a.Name(), line)), "\n"), '\n')
	_, _ = u.write(line) // the terminal may be gone
}

// progress shows the progress of a job.
func (u *ui) progress(j state.Job, running []state.Running) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.quiet:
		return
	case u.bars == nil:
		u.line(j, running)
		return
	}
	u.bar(job.Map, "map   ", j.Map, running)
	u.bar(job.Reduce, "reduce", j.Reduce, running)
}

// line prints a line about the progress. The caller has locked mu.
func (u *ui) line(j state.Job, running []state.Running) {
	text := string(j.Phase)
	side, p := job.Map, j.Map
	switch j.Phase {
	case job.PhaseReduce:
		side, p = job.Reduce, j.Reduce
		fallthrough
	case job.PhaseMap:
		text = fmt.Sprintf("%s %3d%%  %d/%d tasks", j.Phase, thousandths(side, p, running)/10/int64(p.Total), p.Done, p.Total)
	case job.PhaseCleanup, job.PhaseKept, job.PhaseEnded:
		return // the report says that the job has ended
	}
	samePhase := len(u.said) > 4 && text[:4] == u.said[:4]
	if text == u.said || (samePhase && time.Since(u.at) < progressEvery) {
		return
	}
	u.said, u.at = text, time.Now()
	fmt.Fprintf(u.err, "%6.1fs  %s\n", time.Since(u.begun).Seconds(), text)
}

// close ends the bars.
func (u *ui) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bars == nil {
		return
	}
	for _, bar := range u.side {
		if !bar.Completed() {
			bar.Abort(false)
		}
	}
	u.bars.Wait()
	u.bars = nil
}
