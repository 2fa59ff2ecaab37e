package controller

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

// A controller's plan contains nothing of the work area.
func TestPlansPassOverTheWorkArea(t *testing.T) {
	l := newLab(t, nil)
	l.write(filepath.Join(l.folder, "in.txt"), "x\n")
	l.write(filepath.Join(l.folder, "work", "jobs", "other", "program", "p.py"), "secret\n")
	l.submit("j", job.Spec{Program: "wordcount", Kind: "builtin", Input: job.Inputs(l.folder + "/"), Output: l.folder + ".out", Format: "text"})
	tasks, plan, err := l.step("j").makePlan(t.Context())
	l.must(err)
	for task := range tasks.All {
		for _, s := range task {
			if !strings.HasSuffix(s.Input, "/in.txt") {
				t.Errorf("the plan has %s", s.Input)
			}
		}
	}
	if plan.Inputs != 1 || plan.Own != 1 {
		t.Errorf("the plan has %d inputs, and skipped %d folders", plan.Inputs, plan.Own)
	}
}
