package layout

import (
	"encoding/json"
	"fmt"

	"github.com/bucketmill/bucketmill/job"
)

// Success is the content of a job's _SUCCESS object. It describes the job's output.
type Success struct {
	Job      job.ID           `json:"job"`
	Name     string           `json:"name,omitempty"`
	Parts    []SuccessPart    `json:"parts"`
	Records  int64            `json:"records"`
	Bytes    int64            `json:"bytes"`
	Counters map[string]int64 `json:"counters"`
	Skipped  []SuccessSkipped `json:"skipped,omitempty"` // saved bad records, by task
}

// SuccessSkipped describes an object with the bad records of a task.
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

// Encode returns the content of the object.
func (s Success) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode the list of parts: %w", err)
	}
	return append(text, '\n'), nil
}

// PartName returns the name of the part that the task with that index writes.
func PartName(index int) string { return fmt.Sprintf("part-%05d", index) }

// SuccessName is the name of the object that marks an output as complete.
const SuccessName = "_SUCCESS"

// SkippedFolder is the folder of an output for bad records.
const SkippedFolder = "_skipped"

// SkippedName returns the name of the object with the bad records of a task.
func SkippedName(t job.TaskID) string { return SkippedFolder + "/" + t.String() + ".jsonl" }

// LongestName is the length of the longest name of an object in an output, in bytes: a SkippedName.
const LongestName = len(SkippedFolder + "/m9999999.jsonl") // below MaxTasks

// Part is the manifest of an attempt that wrote a part of the output: the handle by which any
// process can make the part visible, and the part's expected content.
type Part struct {
	Upload   json.RawMessage `json:"upload"` // an objstore.Upload
	Bytes    int64           `json:"bytes"`
	Records  int64           `json:"records"`
	Checksum string          `json:"checksum"` // as in SuccessPart
}
