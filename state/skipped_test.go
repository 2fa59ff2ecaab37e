package state

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// commitSkipping commits an attempt that has skipped n records.
func commitSkipping(t *testing.T, s *Store, a job.AttemptID, n int64) error {
	return s.Commit(t.Context(), a, "me", nil, map[string]int64{"tasks": 1, job.SkippedBy(a.Task): n})
}

func startSkipping(t *testing.T, s *Store, spec string, maps, reduces int) {
	t.Helper()
	must(t, errOf(s.Submit(t.Context(), testJob, "test", 0, []byte(spec))))
	must(t, s.Start(t.Context(), testJob, Outline{Maps: maps, Reduces: reduces}))
}

// The commit that takes a job over its limit of bad records is refused, and ends the job.
func TestLimitOfSkippedRecords(t *testing.T) {
	for spec, limit := range map[string]int64{`{"skip_bad_records":5}`: 5, `{}`: 0} {
		onServers(t, func(t *testing.T, s *Store) {
			startSkipping(t, s, spec, 3, 1)
			attempts := claim(t, s, "me", 3)
			for range 2 {
				must(t, commitSkipping(t, s, attempts[0], limit)) // again, as if the reply was lost
			}
			must(t, commitSkipping(t, s, attempts[1], 0))
			inPhase(t, s, testJob, job.PhaseMap)
			if err := commitSkipping(t, s, attempts[2], 1); !errors.Is(err, ErrStale) {
				t.Errorf("one too many: %v", err)
			}
			j := inPhase(t, s, testJob, job.PhaseCleanup)
			if j.State != job.Failed || j.Map.Done != 2 || j.Map.Failed != 1 || j.Error.Attempt != attempts[2].Name() ||
				!strings.Contains(j.Error.Message, "more bad records than may be skipped") {
				t.Errorf("job %+v, error %+v", j, j.Error)
			}
			failures, err := s.Failures(t.Context(), testJob)
			if err != nil || len(failures) != 1 || failures[0] != *j.Error {
				t.Errorf("failures %+v, %v", failures, err)
			}
			counters, err := s.Counters(t.Context(), testJob)
			if err != nil || counters["tasks"] != 2 || counters[job.Skipped] != limit {
				t.Errorf("counters %v, %v", counters, err)
			}
			// Nor does a retry let it through.
			must(t, s.Keep(t.Context(), testJob, AnyStage, time.Hour))
			must(t, s.Retry(t.Context(), testJob, AnyStage))
			inPhase(t, s, testJob, job.PhaseMap)
			if err := commitSkipping(t, s, claim(t, s, "me", 1)[0], 1); !errors.Is(err, ErrStale) {
				t.Errorf("one too many, retried: %v", err)
			}
			inPhase(t, s, testJob, job.PhaseCleanup)
		})
	}
}

// The records that a task has skipped count once, by its latest commit.
func TestSkippedRecordsOfATaskThatIsDoneAgain(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		startSkipping(t, s, `{"skip_bad_records":5}`, 2, 1)
		attempts := claim(t, s, "me", 2)
		must(t, commitSkipping(t, s, attempts[0], 2))
		must(t, commitSkipping(t, s, attempts[1], 2))
		for _, again := range []int64{3, 0, 1} { // how many records m0 skips when it is done again
			reduce := claim(t, s, "me", 1)[0]
			won, _, err := s.Winner(t.Context(), testJob, attempts[0].Task)
			must(t, err)
			must(t, s.LoseSegment(t.Context(), reduce, "me", won.Attempt, job.Failure{}, Limits{Segment: 9}))
			must(t, commitSkipping(t, s, claim(t, s, "me", 1)[0], again))
			counters, err := s.Counters(t.Context(), testJob)
			must(t, err)
			if counters[job.Skipped] != again+2 || counters[job.SkippedBy(attempts[0].Task)] != again || counters["tasks"] != 2 {
				t.Errorf("m0 skipped %d: %v", again, counters)
			}
			want := map[job.TaskID]int64{attempts[1].Task: 2}
			if again > 0 {
				want[attempts[0].Task] = again
			}
			if got := job.SkippedTasks(counters); !maps.Equal(got, want) {
				t.Errorf("tasks %v, want %v", got, want)
			}
		}
	})
}
