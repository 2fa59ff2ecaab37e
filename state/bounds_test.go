package state

import (
	"errors"
	"testing"
	"time"
)

// The first name that is set stays, for the job with that birth and for no other.
func TestBoundsAreSetOnce(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		enter(t, s, "map")
		job, err := s.Job(t.Context(), testJob)
		must(t, err)
		if name, err := s.Bounds(t.Context(), testJob, job.Born); err != nil || name != "" {
			t.Fatalf("before: %q, %v", name, err)
		}
		if _, err := s.SetBounds(t.Context(), testJob, job.Born-1, "old"); !errors.Is(err, ErrStale) {
			t.Errorf("of the job that was lost: %v", err)
		}
		for _, name := range []string{"first", "second", "first"} {
			if got, err := s.SetBounds(t.Context(), testJob, job.Born, name); err != nil || got != "first" {
				t.Errorf("%s: %q holds, %v", name, got, err)
			}
		}
		if name, err := s.Bounds(t.Context(), testJob, job.Born); err != nil || name != "first" {
			t.Errorf("after: %q, %v", name, err)
		}
		if _, err := s.Bounds(t.Context(), testJob, job.Born-1); !errors.Is(err, ErrStale) {
			t.Errorf("read for the job that was lost: %v", err)
		}
	})
}

// One process samples at a time, until it is done or its time is over.
func TestOneSamples(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		hold := func(token string, ttl time.Duration) bool {
			held, err := s.HoldSampler(t.Context(), testJob, token, ttl)
			must(t, err)
			return held
		}
		if !hold("a", time.Hour) || hold("b", time.Hour) || !hold("a", time.Hour) {
			t.Error("not the first one alone holds it")
		}
		must(t, s.ReleaseSampler(t.Context(), testJob, "b"))
		if hold("b", time.Hour) {
			t.Error("it was taken from another")
		}
		must(t, s.ReleaseSampler(t.Context(), testJob, "a"))
		if !hold("b", time.Hour) {
			t.Error("it was not released")
		}
	})
}
