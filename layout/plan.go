package layout

import (
	"encoding/json"
	"fmt"

	"github.com/bucketmill/bucketmill/job"
)

// Plan is what a controller tells executors about a job, in addition to the pages of splits on the
// work store.
type Plan struct {
	Spread   int    `json:"spread"`    // see Layout
	Pages    string `json:"pages"`     // identifies this planning: see Layout.PlanPage
	PageSize int    `json:"page_size"` // map tasks per page of the plan
	Inputs   int    `json:"inputs"`    // number of input objects
	Bytes    int64  `json:"bytes"`     // total size of the input objects
	// PassedOver is the number of objects and folders that were skipped because their names begin
	// with "." or "_".
	PassedOver int `json:"passed_over,omitempty"`
	// Outputs is the number of folders below the inputs that were skipped because they are a job's
	// finished output.
	Outputs int `json:"outputs,omitempty"`
	// Own is the number of Bucketmill's own folders on the work store that were skipped.
	Own int `json:"own,omitempty"`
	// Empty is the number of the spec's inputs without a single byte, and EmptyInput the first of
	// them.
	Empty      int    `json:"empty,omitempty"`
	EmptyInput string `json:"empty_input,omitempty"`
	// Replaces is the job whose output this job overwrites; "": no complete output of a job is
	// there. No other job can put its output there while this job holds the lock.
	Replaces job.ID `json:"replaces,omitempty"`
}

// Encode returns the plan's form in Redis, for state.Store.Start.
func (p Plan) Encode() (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode plan: %w", err)
	}
	return string(text), nil
}

// ParsePlan parses the result of Encode.
func ParsePlan(text string) (Plan, error) {
	var p Plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return Plan{}, fmt.Errorf("read plan: %w", err)
	}
	if p.Spread < 1 || p.Spread > 16 || p.PageSize < 1 {
		return Plan{}, fmt.Errorf("read plan: spread %d, page size %d", p.Spread, p.PageSize)
	}
	return p, nil
}
