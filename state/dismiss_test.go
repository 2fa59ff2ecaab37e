package state

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

// A sweep that does not find a job yet must not remove it from the lists while it is being
// submitted.
func TestSweepWhileSubmitting(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		for i := range 200 {
			id := job.ID("job-" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
			var sweeps sync.WaitGroup
			for range 3 {
				sweeps.Go(func() {
					for range 5 {
						if _, err := s.Sweep(t.Context(), id, Limits{}); err != nil && !errors.Is(err, ErrNoJob) {
							t.Error(err)
						}
					}
				})
			}
			must(t, errOf(s.Submit(t.Context(), id, "test", 0, []byte(`{}`))))
			sweeps.Wait()
			active, err := s.Active(t.Context())
			must(t, err)
			if !slices.Contains(active, id) {
				t.Fatalf("job %d was submitted and is not active", i)
			}
		}
	})
}
