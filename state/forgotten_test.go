package state

import (
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// What happened to a job's tasks is known after its end: how many attempts there were, and which of
// the tasks with failures on record were committed in the end.
func TestEndedJobTellsWhatHappened(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 3, 2)
		attempts := claim(t, s, "me", 3)
		must(t, s.Backup(t.Context(), attempts[2]))
		backup := claim(t, s, "another", 1)
		must(t, s.Fail(t.Context(), attempts[0], "me", job.Failure{Class: job.ClassUser, Message: `"attempt":"m1.1"`}, Limits{Shun: -1}))
		must(t, s.rdb.Del(t.Context(), s.jobKey("j")+":lease:"+attempts[1].Name()).Err())
		swept, err := s.Sweep(t.Context(), "j", Limits{Shun: -1})
		if err != nil || swept.Lost != 1 {
			t.Fatalf("swept %+v, %v", swept, err)
		}
		commit(t, s, "another", backup...)
		again := claim(t, s, "third", 2)
		commit(t, s, "third", again[0])
		must(t, s.Stop(t.Context(), "j", AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob, Message: "enough"}))
		must(t, s.Forget(t.Context(), "j", AnyStage, time.Hour))
		j, err := s.Job(t.Context(), "j")
		must(t, err)
		want := job.Progress{Total: 3, Done: 2, Failed: 2, Lost: 1, Backups: 1, Attempts: 6, Claimed: 3, Spent: j.Map.Spent}
		if j.Map != want || (j.Reduce != job.Progress{Total: 2}) {
			t.Errorf("map %+v, want %+v; reduce %+v", j.Map, want, j.Reduce)
		}
		tasks, err := s.FailedTasks(t.Context(), j)
		if err != nil || len(tasks) != 2 {
			t.Fatalf("%+v, %v", tasks, err)
		}
		for i, task := range tasks {
			state := TaskPending
			if task.Task == again[0].Task {
				state = TaskCommitted
			}
			if task.Task != (job.TaskID{Side: job.Map, Index: i}) || task.State != state || len(task.Failures) != 1 {
				t.Errorf("%+v, want it %s", task, state)
			}
		}
	})
}
