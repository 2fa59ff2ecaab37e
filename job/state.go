package job

import "time"

// State is a job's state as users see it.
type State string

const (
	Submitted State = "SUBMITTED"
	Mapping   State = "MAPPING"
	Reducing  State = "REDUCING"
	Completed State = "COMPLETED"
	Failed    State = "FAILED"
	Cancelled State = "CANCELLED"
)

// Terminal reports whether the job has its final state. Clean-up may still be running: see Phase.
func (s State) Terminal() bool { return s == Completed || s == Failed || s == Cancelled }

// Known reports whether s is one of these.
func (s State) Known() bool { return s == Submitted || s == Mapping || s == Reducing || s.Terminal() }

// Progress counts the tasks of one side.
type Progress struct {
	Total   int `json:"total"`
	Done    int `json:"done"`
	Running int `json:"running"` // attempts
	Failed  int `json:"failed"`  // attempts that failed so far
	// Attempts counts all attempts so far. Lost counts those whose executors went silent, and
	// Backups those that started while another attempt at the same task was running.
	Attempts int `json:"attempts"`
	Lost     int `json:"lost"`
	Backups  int `json:"backups"`
	// Spent is the sum of the times from claim to commit of all committed attempts.
	Spent time.Duration `json:"-"`
	// Claimed counts the tasks that were claimed at least once.
	Claimed int `json:"-"`
}
