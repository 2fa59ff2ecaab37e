package job

import "strings"

// Skipped is the counter of the bad records that a job has skipped and saved. With a colon and the
// name of a task appended it counts those of the task. The commit script adds them up.
const Skipped = "skipped_records"

// Malformed is the counter of malformed records that a builtin has skipped.
const Malformed = "user:malformed records"

// SkippedBy returns the counter of the bad records that a task has skipped.
func SkippedBy(t TaskID) string { return Skipped + ":" + t.String() }

// SkippedTasks returns how many bad records each task has skipped, of the tasks that have skipped
// any.
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
