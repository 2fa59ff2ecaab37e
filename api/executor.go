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
	Draining bool           `json:"draining"` // claims no more
	Benched  *Time          `json:"benched"`  // until then it claims nothing, since attempts fail there; null: it does
	Running  []string       `json:"running"`  // attempts, "JOB/m12.1"
	CPU      float64        `json:"cpu"`      // cores in use
	Memory   int64          `json:"memory"`   // resident bytes
}

// ExecutorList is all executors that reported themselves lately, by id.
type ExecutorList struct {
	Executors []Executor `json:"executors"`
}
