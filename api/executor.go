package api

import "github.com/bucketmill/bucketmill/job"

// Executor is an executor as it describes itself.
type Executor struct {
	ID       job.ExecutorID `json:"id"`
	Host     string         `json:"host"`
	Version  string         `json:"version"`
	Started  *Time          `json:"started"`
	Seen     *Time          `json:"seen"` // its last heartbeat
	Slots    int            `json:"slots"`
	Draining bool           `json:"draining"` // it claims no further tasks
	Benched  *Time          `json:"benched"`  // its circuit breaker is open until then: it claims nothing; null: closed
	Running  []string       `json:"running"`  // attempts, "JOB/m12.1"
	CPU      float64        `json:"cpu"`      // cores in use
	Memory   int64          `json:"memory"`   // resident bytes
}

// ExecutorList is all executors that have reported recently, ordered by id.
type ExecutorList struct {
	Executors []Executor `json:"executors"`
}
