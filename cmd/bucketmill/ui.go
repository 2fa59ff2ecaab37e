package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/bucketmill/bucketmill/state"
)

// ui shows a job to a person: bars where stderr is a terminal, else now and then a line.
// The result goes to stdout, everything else to stderr.
type ui struct {
	out, err io.Writer
	begun    time.Time

	mu   sync.Mutex
	bars *mpb.Progress // guarded by mu: nil where there is no terminal, and before and after
	side map[state.Side]*mpb.Bar
	said string    // guarded by mu: the last line, without its time
	at   time.Time // guarded by mu: when it was said
}

// quiet is how long nothing is said about a phase that goes on, where there are no bars.
const quiet = 5 * time.Second

func newUI(out, err io.Writer) *ui {
	u := &ui{out: out, err: err, begun: time.Now(), side: map[state.Side]*mpb.Bar{}}
	if f, ok := err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		u.bars = mpb.New(mpb.WithOutput(err), mpb.WithRefreshRate(100*time.Millisecond), mpb.WithWidth(48))
	}
	return u
}

// log returns where log lines go: above the bars.
func (u *ui) log() io.Writer { return writerFunc(u.write) }

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (u *ui) write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bars != nil {
		return u.bars.Write(p)
	}
	return u.err.Write(p)
}

// programLog shows what a user's program says on standard error.
func (u *ui) programLog(a state.AttemptID, line []byte) {
	line = append(bytes.TrimRight([]byte(fmt.Sprintf("[%s] %s", a.Name(), line)), "\n"), '\n')
	_, _ = u.write(line) // nothing can be done about a terminal that is gone
}

// progress shows how far a job is.
func (u *ui) progress(job state.Job, running []state.Running) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bars == nil {
		u.line(job, running)
		return
	}
	u.bar(state.Map, "map   ", job.Map, running)
	u.bar(state.Reduce, "reduce", job.Reduce, running)
}

// bar needs mu.
func (u *ui) bar(side state.Side, name string, p state.Progress, running []state.Running) {
	if p.Total == 0 {
		return
	}
	bar := u.side[side]
	if bar == nil {
		bar = u.bars.AddBar(int64(p.Total)*1000,
			mpb.PrependDecorators(decor.Name(name+" "), decor.Percentage(decor.WCSyncSpace)),
			mpb.AppendDecorators(
				decor.Any(func(s decor.Statistics) string {
					return fmt.Sprintf(" %d/%d tasks ", s.Current/1000, s.Total/1000)
				}),
				decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), "done"),
			))
		u.side[side] = bar
	}
	if current := thousandths(side, p, running); current > bar.Current() || p.Done == p.Total {
		bar.SetCurrent(current)
	}
}

// thousandths is how many thousandths of a task are done, all tasks together.
func thousandths(side state.Side, p state.Progress, running []state.Running) int64 {
	n := int64(p.Done) * 1000
	for _, r := range running {
		if r.Attempt.Task.Side == side {
			n += int64(r.Progress)
		}
	}
	return min(n, int64(p.Total)*1000)
}

// line needs mu.
func (u *ui) line(job state.Job, running []state.Running) {
	text := string(job.Phase)
	side, p := state.Map, job.Map
	switch job.Phase {
	case state.PhaseReduce:
		side, p = state.Reduce, job.Reduce
		fallthrough
	case state.PhaseMap:
		text = fmt.Sprintf("%s %3d%%  %d/%d tasks", job.Phase, thousandths(side, p, running)/10/int64(p.Total), p.Done, p.Total)
	case state.PhaseCleanup, state.PhaseEnded:
		return // the report says it
	}
	samePhase := len(u.said) > 4 && text[:4] == u.said[:4]
	if text == u.said || (samePhase && time.Since(u.at) < quiet) {
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
