package controller

import (
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

func TestStragglers(t *testing.T) {
	now := time.Now()
	run := func(index, number, progress int, age, silent time.Duration) state.Running {
		return state.Running{
			Attempt: job.AttemptID{Task: job.TaskID{Side: job.Map, Index: index}, Number: number},
			Started: now.Add(-age), Progressed: now.Add(-silent), Progress: progress,
		}
	}
	fine := func(n int) (all []state.Running) {
		for i := range n {
			all = append(all, run(100+i, 1, 900, 9*time.Second, 0))
		}
		return all
	}
	for name, test := range map[string]struct {
		running []state.Running
		average time.Duration
		want    []int // tasks
	}{
		"all at the same pace":           {fine(5), 10 * time.Second, nil},
		"a tenth of the pace":            {append(fine(5), run(1, 1, 90, 9*time.Second, 0)), 8 * time.Second, []int{1}},
		"slow, but a new one is no help": {append(fine(5), run(1, 1, 600, 30*time.Second, 0)), 25 * time.Second, nil},
		"nothing done yet":               {append(fine(5), run(1, 1, 0, 11*time.Second, 11*time.Second)), 10 * time.Second, []int{1}},
		"just begun":                     {append(fine(5), run(1, 1, 0, 2*time.Second, 0)), time.Second, nil},
		"stands still near its end":      {append(fine(5), run(1, 1, 990, time.Minute, 30*time.Second)), 5 * time.Second, []int{1}},
		"backed up already":              {append(fine(5), run(1, 1, 0, time.Minute, time.Minute), run(1, 2, 0, time.Second, 0)), 5 * time.Second, nil},
		"one at a time, the slowest":     {append(fine(5), run(1, 1, 200, 20*time.Second, 0), run(2, 1, 100, 20*time.Second, 0)), 5 * time.Second, []int{2}},
		"a tenth at a time": {
			append(fine(18), run(1, 1, 10, time.Minute, 0), run(2, 1, 10, time.Minute, 0), run(3, 1, 10, time.Minute, 0)),
			5 * time.Second,
			[]int{1, 2},
		},
		"other side": {[]state.Running{{Attempt: job.AttemptID{Task: job.TaskID{Side: job.Reduce}, Number: 1}, Started: now.Add(-time.Hour)}}, time.Second, nil},
	} {
		got := stragglers(test.running, job.Map, now, test.average)
		tasks := make([]int, len(got))
		for i, s := range got {
			tasks[i] = s.attempt.Task.Index
		}
		if len(tasks) != len(test.want) {
			t.Errorf("%s: %v, want %v", name, tasks, test.want)
			continue
		}
		for i := range tasks {
			if tasks[i] != test.want[i] {
				t.Errorf("%s: %v, want %v", name, tasks, test.want)
			}
		}
	}
}
