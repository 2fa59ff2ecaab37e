package layout

import (
	"encoding/json"
	"fmt"

	"github.com/bucketmill/bucketmill/job"
)

// Plan is what the planning controller leaves for the executors, beside the pages of splits
// on the work store.
type Plan struct {
	Spread   int    `json:"spread"`    // see Layout
	Pages    string `json:"pages"`     // names this planning's pages: see Layout.PlanPage
	PageSize int    `json:"page_size"` // map tasks per page of the plan
	Inputs   int    `json:"inputs"`    // number of input objects
	Bytes    int64  `json:"bytes"`     // their size
	// PassedOver is the number of objects and folders that were passed over, since their names begin with "." or "_".
	PassedOver int `json:"passed_over,omitempty"`
	// Outputs is the number of folders below the inputs' that were passed over, since they hold a job's finished output.
	Outputs int `json:"outputs,omitempty"`
	// Own is the number of folders of Bucketmill's own on the work store that were passed over.
	Own int `json:"own,omitempty"`
	// Empty is the number of the spec's inputs that have not one byte, and EmptyInput the first of them.
	Empty      int    `json:"empty,omitempty"`
	EmptyInput string `json:"empty_input,omitempty"`
	// Replaces is the job whose output is to be overwritten; "": there is none that is whole, or it is not a
	// job's. While this job has its output locked, no other's can come there.
	Replaces job.ID `json:"replaces,omitempty"`
}

// Encode returns the form that Store.Start takes.
func (p Plan) Encode() (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode plan: %w", err)
	}
	return string(text), nil
}

// ParsePlan reads what Encode wrote.
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
