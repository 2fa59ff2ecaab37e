package job

import (
	"strings"
	"testing"
)

func TestAttemptNames(t *testing.T) {
	for _, a := range []AttemptID{
		{"j", TaskID{Map, 0}, 1, 0}, {"j", TaskID{Reduce, 123456}, 78, 0}, {"j", TaskID{Map, MaxTasks}, 9, 0},
	} {
		if got, err := ParseAttempt("j", a.Name()); err != nil || got != a {
			t.Errorf("%v read back as %v, %v", a, got, err)
		}
	}
	for _, name := range []string{"", "m", "m.1", "m1", "m1.", "m1.0", "m-1.1", "x1.1", "m1.1.1", "m1.x", "1.1"} {
		if got, err := ParseAttempt("j", name); err == nil {
			t.Errorf("%q read as %v", name, got)
		}
	}
}

func TestValidIDs(t *testing.T) {
	for id, want := range map[ID]bool{
		"a": true, "Job-1_x": true, ID(strings.Repeat("a", 128)): true,
		"": false, "a b": false, "{a}": false, "a:b": false, "é": false, ID(strings.Repeat("a", 129)): false,
	} {
		if id.Valid() != want {
			t.Errorf("job id %q: valid is %t", id, !want)
		}
	}
	for id, want := range map[ExecutorID]bool{"host-1.example:99": true, "": false, "a b": false, "a\n": false} {
		if id.Valid() != want {
			t.Errorf("executor id %q: valid is %t", id, !want)
		}
	}
}
