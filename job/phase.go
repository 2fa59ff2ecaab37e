package job

// Phase is the work that a job needs next. It decides which transitions are legal.
type Phase string

// Known reports whether p is one of these.
func (p Phase) Known() bool {
	switch p {
	case PhasePlan, PhaseMap, PhaseReduce, PhasePublish, PhaseCleanup, PhaseKept, PhaseEnded:
		return true
	}
	return false
}

const (
	PhasePlan    Phase = "plan"    // a controller lists inputs and cuts splits
	PhaseMap     Phase = "map"     // executors claim map tasks
	PhaseReduce  Phase = "reduce"  // executors claim reduce tasks
	PhasePublish Phase = "publish" // a controller makes the output visible
	PhaseCleanup Phase = "cleanup" // a controller removes the job's objects
	PhaseKept    Phase = "kept"    // the job has failed; its objects are kept for a while, for a retry
	PhaseEnded   Phase = "ended"   // only history is left
)
