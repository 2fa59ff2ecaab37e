package state

import (
	"fmt"
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

// Parts that cannot be published send their tasks back, and no other tasks; the tasks count once.
func TestRedoSendsTheJobBack(t *testing.T) {
	for name, c := range map[string]struct {
		maps, reduces int
		phase         job.Phase // which writes the output
	}{
		"reduced":  {2, 3, job.PhaseReduce},
		"map-only": {3, 0, job.PhaseMap},
	} {
		t.Run(name, func(t *testing.T) {
			onServers(t, func(t *testing.T, s *Store) {
				started(t, s, "j", c.maps, c.reduces)
				done := claim(t, s, "me", c.maps)
				commit(t, s, "me", done...)
				if c.reduces > 0 {
					done = claim(t, s, "me", c.reduces)
					commit(t, s, "me", done...)
				}
				before := inPhase(t, s, "j", job.PhasePublish)
				lost := []Lost{{done[0], "gone"}, {done[2], "damaged"}}
				must(t, s.Redo(t.Context(), "j", before.Stage, lost, Limits{}))
				got := inPhase(t, s, "j", c.phase)
				side := got.Reduce
				if c.reduces == 0 {
					side = got.Map
				}
				if side.Done != 1 || side.Failed != 2 || got.Epoch < before.Epoch || got.Stage <= before.Stage {
					t.Errorf("after the loss: %+v", got)
				}
				void, err := s.Void(t.Context(), "j")
				if err != nil || len(void) != 2 || void[0] != done[0] || void[1] != done[2] {
					t.Errorf("what they wrote is garbage, but of that there is %v, %v", void, err)
				}
				if repeated, err := s.Repeated(t.Context(), "j"); err != nil || !repeated {
					t.Errorf("repeated: %t, %v", repeated, err)
				}
				again := claim(t, s, "another", 2)
				if again[0].Task != done[0].Task || again[1].Task != done[2].Task || again[0].Number != 2 {
					t.Fatalf("to be done again: %v", again)
				}
				commit(t, s, "another", again...)
				now := inPhase(t, s, "j", job.PhasePublish)
				counters, err := s.Counters(t.Context(), "j")
				if want := int64(c.maps + c.reduces); err != nil || counters["tasks"] != want {
					t.Errorf("counters %v, %v: a task that was done again counts once", counters, err)
				}
				// An earlier loss is not about the present parts.
				must(t, s.Redo(t.Context(), "j", now.Stage, lost, Limits{}))
				inPhase(t, s, "j", job.PhasePublish)
			})
		})
	}
}

// A task whose part is lost again and again ends the job.
func TestLimitOfRedoing(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 1, 1)
		commit(t, s, "me", claim(t, s, "me", 1)...)
		for number := 1; number <= 2; number++ {
			reduce := claim(t, s, "me", 1)
			commit(t, s, "me", reduce...)
			must(t, s.Redo(t.Context(), "j", AnyStage, []Lost{{reduce[0], fmt.Sprintf("loss %d", number)}}, Limits{Segment: 2}))
		}
		got := inPhase(t, s, "j", job.PhaseCleanup)
		if got.State != job.Failed || got.Error == nil || got.Error.Class != job.ClassSegment || got.Error.Message != "loss 2" {
			t.Errorf("%s: %+v", got.State, got.Error)
		}
	})
}
