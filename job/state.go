package job

import "time"

// State is what a user sees of a job's life.
type State string

const (
	Submitted State = "SUBMITTED"
	Mapping   State = "MAPPING"
	Reducing  State = "REDUCING"
	Completed State = "COMPLETED"
	Failed    State = "FAILED"
	Cancelled State = "CANCELLED"
)

// Terminal says whether the job's outcome is settled. Clean-up may still go on: see Phase.
func (s State) Terminal() bool { return s == Completed || s == Failed || s == Cancelled }

// Known reports whether s is one of these.
func (s State) Known() bool { return s == Submitted || s == Mapping || s == Reducing || s.Terminal() }

// Progress counts the tasks of one side.
type Progress struct {
	Total   int `json:"total"`
	Done    int `json:"done"`
	Running int `json:"running"` // attempts
	Failed  int `json:"failed"`  // attempts that failed so far
	// Attempts were given out so far, at any of the tasks. Of them, Lost are those that failed since their
	// executors went silent, and Backups those that were started beside another.
	Attempts int `json:"attempts"`
	Lost     int `json:"lost"`
	Backups  int `json:"backups"`
	// Spent is the time from claim to commit of all committed attempts together.
	Spent time.Duration `json:"-"`
	// Claimed is how many tasks were claimed at least once.
	Claimed int `json:"-"`
}
