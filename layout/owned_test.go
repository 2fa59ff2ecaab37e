package layout

import (
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

func TestOwnedKeys(t *testing.T) {
	for _, prefix := range []string{"", "p", "p/q"} {
		l := Layout{Prefix: prefix, Job: "j", Spread: 16}
		a := job.AttemptID{Job: "j", Task: job.TaskID{Side: job.Map, Index: 3}, Number: 1}
		keys := append(l.SpreadFolders(), l.Segment(a), l.Manifest(a), l.Skipped(a), l.Record(), l.Planned(), l.Program("x"), l.Log(a), l.PlanPage("p", 1))
		for _, key := range append(keys, l.Folders()...) {
			if l.Owned(key) == "" || l.Owned("/"+strings.ReplaceAll(key, "/", "//")) == "" {
				t.Errorf("%s is not owned", key)
			}
		}
		if i := slices.IndexFunc([]string{"", "x", prefix, prefix + "/", "jobs2/x", prefix + "/jobs2", prefix + "/g/x", prefix + "/00/x", "x/" + prefix + "/jobs/j"},
			func(key string) bool { return l.Owned(key) != "" }); i >= 0 {
			t.Errorf("prefix %q: key %d is owned", prefix, i)
		}
	}
}
