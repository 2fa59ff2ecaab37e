package state

import (
	"slices"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// Renewals report the readers of a job's logs for some time after they ask. Asking succeeds only
// for running attempts.
func TestReadersOfLogs(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 2, 0)
		started(t, s, "other", 1, 0)
		attempts := append(claim(t, s, "me", 2), claim(t, s, "me", 1)...)
		var beats []Beat
		for _, a := range attempts {
			beats = append(beats, Beat{Attempt: a})
		}
		renewed := func(want ...job.AttemptID) {
			t.Helper()
			lost, read, err := s.Renew(t.Context(), "me", lease, beats)
			if err != nil || len(lost) > 0 || !slices.Equal(read, want) {
				t.Fatalf("lost %v, read %v, %v; want %v", lost, read, err, want)
			}
		}
		renewed()
		gone := attempts[0]
		gone.Number++
		if running, err := s.ReadLog(t.Context(), gone); err != nil || running {
			t.Fatalf("an attempt that never was runs: %v, %v", running, err)
		}
		renewed()
		if running, err := s.ReadLog(t.Context(), attempts[0]); err != nil || !running {
			t.Fatalf("it does not run: %v, %v", running, err)
		}
		renewed(slices.DeleteFunc(slices.Clone(attempts), func(a job.AttemptID) bool { return a.Job != attempts[0].Job })...)
		if left := s.rdb.PTTL(t.Context(), s.readerKey(attempts[0].Job)).Val(); left <= 0 || left > readerTime {
			t.Errorf("the reader is remembered for %v", left)
		}
	})
}

// Only executors that reported lately and claim tasks count as others.
func TestOtherExecutors(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		check := func(want bool) {
			t.Helper()
			if got, err := s.HasOthers(t.Context(), "me"); err != nil || got != want {
				t.Fatalf("others: %v, %v; want %v", got, err, want)
			}
		}
		check(false)
		must(t, s.ReportExecutor(t.Context(), ExecutorInfo{ID: "me"}, time.Minute))
		check(false)
		must(t, s.ReportExecutor(t.Context(), ExecutorInfo{ID: "you", Draining: true}, time.Minute))
		check(false)
		must(t, s.ReportExecutor(t.Context(), ExecutorInfo{ID: "you"}, time.Minute))
		check(true)
		must(t, s.rdb.Del(t.Context(), s.executorKey("you")).Err()) // as when its time has passed
		check(false)
		must(t, s.ReportExecutor(t.Context(), ExecutorInfo{ID: "they"}, time.Minute))
		check(true)
		must(t, s.RemoveExecutor(t.Context(), "they"))
		check(false)
	})
}
