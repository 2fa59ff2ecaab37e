package job

import "strings"

// Skipped is the counter of the records that a job has set aside; followed by a colon and a
// task's name, of those that the task has. Commit sums them up.
const Skipped = "skipped_records"

// Malformed is the counter of records that a builtin could not use and passed over.
const Malformed = "user:malformed records"

// SkippedBy is the counter of the records that a task has set aside.
func SkippedBy(t TaskID) string { return Skipped + ":" + t.String() }

// SkippedTasks returns the tasks that have set records aside, and how many, by their counters.
func SkippedTasks(counters map[string]int64) map[TaskID]int64 {
	tasks := map[TaskID]int64{}
	for name, n := range counters {
		text, ok := strings.CutPrefix(name, Skipped+":")
		if !ok || n == 0 {
			continue
		}
		if task, err := ParseTask(text); err == nil {
			tasks[task] = n
		}
	}
	return tasks
}
