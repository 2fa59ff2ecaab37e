package state

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

// The task of these tests is m1 of a job whose other task runs elsewhere all the time. Its first
// attempt is, or was, run by executor "me".
var first = job.AttemptID{Job: testJob, Task: job.TaskID{Side: job.Map, Index: 1}, Number: 1}

func second() job.AttemptID { a := first; a.Number = 2; return a }

// taskStates bring the task into each state.
var taskStates = map[string]func(t *testing.T, s *Store){
	"pending": func(*testing.T, *Store) {},
	"running": func(t *testing.T, s *Store) { claim(t, s, "me", 1) },
	"expired": func(t *testing.T, s *Store) { claim(t, s, "me", 1); expire(t, s, first) },
	"given": func(t *testing.T, s *Store) { // reassigned
		claim(t, s, "me", 1)
		expire(t, s, first)
		if swept, err := s.Sweep(t.Context(), testJob, Limits{}); err != nil || swept.Lost != 1 {
			t.Fatalf("swept %+v, %v", swept, err)
		}
		claim(t, s, "another", 1)
	},
	"mine": func(t *testing.T, s *Store) { claim(t, s, "me", 1); commit(t, s, "me", first) },
	"theirs": func(t *testing.T, s *Store) {
		backedUp(t, s)
		commit(t, s, "another", second())
	},
	"waiting": func(t *testing.T, s *Store) { // running, and a backup may be claimed
		claim(t, s, "me", 1)
		must(t, s.Backup(t.Context(), known(t, s, first)))
	},
	"both": backedUp, // running, with a running backup
}

func backedUp(t *testing.T, s *Store) {
	claim(t, s, "me", 1)
	must(t, s.Backup(t.Context(), known(t, s, first)))
	claim(t, s, "another", 1)
}

// Each cell is what an event does to the task in a state: "=" if it succeeds and changes nothing,
// the error of its refusal, or the new state of the task: waiting to be claimed (w), done (d), and
// the numbers of its attempts.
var taskEvents = []struct {
	event string
	do    func(t *testing.T, s *Store) error
	cells string
}{
	{
		event: "",
		cells: "pending running expired given mine  theirs waiting both",
	}, {
		event: "renew",
		cells: "lost    1       lost    lost  lost  lost   w1      12",
		do:    func(t *testing.T, s *Store) error { return renewOne(t, s, first, "me") },
	}, {
		event: "renew backup as me",
		cells: "lost    lost    lost    lost  lost  lost   lost    lost",
		do:    func(t *testing.T, s *Store) error { return renewOne(t, s, second(), "me") },
	}, {
		event: "commit",
		cells: "stale   d1      d1      stale =     stale  d1      d1",
		do:    commitFirst,
	}, {
		event: "commit again",
		cells: "stale   d1      d1      stale =     stale  d1      d1",
		do: func(t *testing.T, s *Store) error {
			if err := commitFirst(t, s); err != nil {
				return err
			}
			before := dump(t, s)
			err := commitFirst(t, s)
			sameState(t, s, before, dump(t, s), false)
			return err
		},
	}, {
		event: "fail: program",
		cells: "stale   w       w       stale stale stale  w       2",
		do:    failFirst(job.ClassUser),
	}, {
		event: "fail: handed back",
		cells: "stale   w       w       stale stale stale  w       2",
		do:    failFirst(job.ClassReleased),
	}, {
		event: "sweep",
		cells: "=       =       w       =     =     =      =       =",
		do: func(t *testing.T, s *Store) error {
			_, err := s.Sweep(t.Context(), testJob, Limits{})
			return err
		},
	}, {
		event: "claim by another",
		cells: "1       =       =       =     =     =      12      =",
		do:    func(t *testing.T, s *Store) error { return claimError(t, s, "another", lease) },
	}, {
		event: "claim by me",
		cells: "1       =       =       =     =     =      =       =",
		do:    func(t *testing.T, s *Store) error { return claimError(t, s, "me", lease) },
	}, {
		event: "back up",
		cells: "stale   w1      w1      stale stale stale  =       =",
		do:    func(t *testing.T, s *Store) error { return s.Backup(t.Context(), known(t, s, first)) },
	},
}

func commitFirst(t *testing.T, s *Store) error {
	return s.Commit(t.Context(), known(t, s, first), "me", []byte("m"), map[string]int64{"tasks": 1})
}

func failFirst(class job.Class) func(t *testing.T, s *Store) error {
	return func(t *testing.T, s *Store) error {
		return s.Fail(t.Context(), known(t, s, first), "me", job.Failure{Class: class}, Limits{})
	}
}

func TestEveryEventOfATask(t *testing.T) {
	onServers(t, func(t *testing.T, base *Store) {
		states := strings.Fields(taskEvents[0].cells)
		for _, row := range taskEvents[1:] {
			for i, want := range strings.Fields(row.cells) {
				t.Run(row.event+"/"+states[i], func(t *testing.T) {
					s := New(base.rdb, base.namespace+row.event+states[i])
					started(t, s, testJob, 2, 1)
					claim(t, s, "elsewhere", 1)
					taskStates[states[i]](t, s)
					before := dump(t, s)
					err := row.do(t, s)
					if refusal := refusals[want]; !errors.Is(err, refusal) || refusal == nil && err != nil {
						t.Fatalf("got %v, wanted %s", err, want)
					}
					if want == "=" || refusals[want] != nil {
						sameState(t, s, before, dump(t, s), want == "=")
						return
					}
					if got := taskNow(t, s); got != want {
						t.Fatalf("the task is %s, wanted %s", got, want)
					}
				})
			}
		}
	})
}

func taskNow(t *testing.T, s *Store) string {
	t.Helper()
	var now strings.Builder
	if err := s.rdb.ZScore(t.Context(), s.jobKey(testJob)+":retry:m", "1").Err(); err == nil {
		now.WriteString("w")
	}
	if won, ok, err := s.Winner(t.Context(), testJob, first.Task); err != nil {
		t.Fatal(err)
	} else if ok {
		fmt.Fprintf(&now, "d%d", won.Attempt.Number)
	}
	attempts, err := s.Running(t.Context(), testJob)
	must(t, err)
	for number := 1; number < 9; number++ {
		for _, r := range attempts {
			if r.Attempt.Task == first.Task && r.Attempt.Number == number {
				fmt.Fprint(&now, number)
			}
		}
	}
	return now.String()
}
