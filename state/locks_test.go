package state

import (
	"maps"
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

// An output belongs to its first holder until that job unlocks it, with or without a slash at its
// end.
func TestOutputIsLockedByOne(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		const url = "s3://bucket/out"
		lock := func(id, want job.ID) {
			t.Helper()
			holder, err := s.LockOutput(t.Context(), url+"/", id)
			must(t, err)
			if other, err := s.OutputHolder(t.Context(), url); err != nil || holder != want || other != want {
				t.Fatalf("%s gets %q, and the holder is %q, %v; want %q", id, holder, other, err, want)
			}
		}
		lock("a", "a")
		lock("a", "a") // again: the reply was lost
		lock("b", "a")
		must(t, s.UnlockOutput(t.Context(), url, "b"))
		lock("b", "a")
		locks, err := s.OutputLocks(t.Context())
		must(t, err)
		if !maps.Equal(locks, map[string]job.ID{url: "a"}) {
			t.Errorf("locks are %v", locks)
		}
		must(t, s.UnlockOutput(t.Context(), url, "a"))
		lock("b", "b")
	})
}
