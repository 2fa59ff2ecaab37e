package job

// Phase is what is to be done next for a job; it decides which transitions are legal.
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
	PhaseCleanup Phase = "cleanup" // a controller removes what the job left behind
	PhaseKept    Phase = "kept"    // failed, and set aside for a while so that it may be retried
	PhaseEnded   Phase = "ended"   // only history is left
)
