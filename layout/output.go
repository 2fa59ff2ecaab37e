package layout

import (
	"encoding/json"
	"fmt"

	"github.com/bucketmill/bucketmill/job"
)

// Success is the content of a job's _SUCCESS object: what the job wrote.
type Success struct {
	Job      job.ID           `json:"job"`
	Name     string           `json:"name,omitempty"`
	Parts    []SuccessPart    `json:"parts"`
	Records  int64            `json:"records"`
	Bytes    int64            `json:"bytes"`
	Counters map[string]int64 `json:"counters"`
	Skipped  []SuccessSkipped `json:"skipped,omitempty"` // what the job has set aside, by task
}

// SuccessSkipped is an object with the records that a task has set aside.
type SuccessSkipped struct {
	Name    string `json:"name"` // "_skipped/m12.jsonl"
	Records int64  `json:"records"`
}

// SuccessPart describes one part of the output.
type SuccessPart struct {
	Name     string `json:"name"` // "part-00000"
	Bytes    int64  `json:"bytes"`
	Records  int64  `json:"records"`
	Checksum string `json:"checksum"` // "xxh64:" and 16 hex digits, over the part's bytes
}

// Encode returns the object's content.
func (s Success) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode the list of parts: %w", err)
	}
	return append(text, '\n'), nil
}

// PartName is the name of the part that the task with that index writes.
func PartName(index int) string { return fmt.Sprintf("part-%05d", index) }

// SuccessName is the name of the object that says that an output is whole.
const SuccessName = "_SUCCESS"

// SkippedFolder is the folder of an output for the records that its job has set aside.
const SkippedFolder = "_skipped"

// SkippedName is the name of the object with the records that a task has set aside.
func SkippedName(t job.TaskID) string { return SkippedFolder + "/" + t.String() + ".jsonl" }

// LongestName is the length of the longest name that a job gives to an object of its output, in bytes: that is
// a SkippedName.
const LongestName = len(SkippedFolder + "/m9999999.jsonl") // below MaxTasks

// Part is the manifest of an attempt that wrote a part of the output: the handle by which
// anyone can make the part visible, and what it then must be.
type Part struct {
	Upload   json.RawMessage `json:"upload"` // an objstore.Upload
	Bytes    int64           `json:"bytes"`
	Records  int64           `json:"records"`
	Checksum string          `json:"checksum"` // as in SuccessPart
}
