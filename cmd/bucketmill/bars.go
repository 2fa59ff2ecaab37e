package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// bar updates the bar of one side. The caller has locked mu.
func (u *ui) bar(side job.Side, name string, p job.Progress, running []state.Running) {
	if p.Total == 0 {
		return
	}
	bar := u.side[side]
	if bar == nil {
		bar = &sideBar{}
		bar.Bar = u.bars.AddBar(int64(p.Total)*1000,
			mpb.PrependDecorators(decor.Name(lineStart+name+" "), decor.Percentage(decor.WCSyncSpace)),
			mpb.AppendDecorators(
				decor.Any(func(s decor.Statistics) string {
					return fmt.Sprintf(" %d/%d tasks ", s.Current/1000, s.Total/1000)
				}),
				decor.OnComplete(decor.Any(bar.pace), "done"),
			))
		u.side[side] = bar
	}
	current := thousandths(side, p, running)
	if bar.first.Load() == 0 && current > 0 {
		bar.since.Store(time.Now().UnixNano())
		bar.first.Store(current)
	}
	if current > bar.Current() || p.Done == p.Total {
		bar.SetCurrent(current)
	}
}

// lineStart begins every line of a bar: after a terminal has shown ^C, the cursor is not at the
// beginning of the line.
const lineStart = "\r"

// sideBar is the bar of one side's tasks, in thousandths of a task. It is drawn while it is
// updated, hence the atomic fields.
type sideBar struct {
	*mpb.Bar
	first atomic.Int64 // the first progress that was more than 0
	since atomic.Int64 // ns since 1970; the time of first
}

// pace returns the rate since the first progress, and the time left at that rate.
func (b *sideBar) pace(s decor.Statistics) string {
	first := b.first.Load()
	if first == 0 || s.Current <= first {
		return ""
	}
	elapsed := time.Since(time.Unix(0, b.since.Load()))
	perTask := elapsed.Seconds() * 1000 / float64(s.Current-first)
	left := time.Duration(float64(s.Total-s.Current) / 1000 * perTask * float64(time.Second))
	return fmt.Sprintf("%.1f/s, %s left", 1/perTask, left.Round(time.Second))
}

// thousandths returns the progress of all tasks of a side, in thousandths of a task.
func thousandths(side job.Side, p job.Progress, running []state.Running) int64 {
	n := int64(p.Done) * 1000
	for _, r := range running {
		if r.Attempt.Task.Side == side {
			n += int64(r.Progress)
		}
	}
	return min(n, int64(p.Total)*1000)
}
