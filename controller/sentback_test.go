package controller

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
)

// TestOutputOfAJobThatWasSentBack plans jobs whose output has a part, as after a failover that
// sends a job back from its publication to before its plan.
func TestOutputOfAJobThatWasSentBack(t *testing.T) {
	for name, c := range map[string]struct {
		file    string // beside part-00000
		planned bool   // before
		ok      bool
	}{
		"its own":         {planned: true, ok: true},
		"another's":       {},
		"complete by now": {planned: true, file: layout.SuccessName},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil)
			write := func(path, text string) {
				path = filepath.Join(l.folder, path)
				l.must(os.MkdirAll(filepath.Dir(path), 0o700))
				l.must(os.WriteFile(path, []byte(text), 0o600))
			}
			write("in", "a b\n")
			write("out/part-00000", "a\t1\n")
			if c.file != "" {
				write("out/"+c.file, `{"job":"other"}`)
			}
			id := job.NewID()
			if c.planned {
				write("work/"+layout.Layout{Job: id}.PlanPage("EARLIER", 0), "{}")
			}
			l.submit(id, job.Spec{
				Program: "wordcount", Kind: "builtin", Format: "text",
				Input: job.Inputs(filepath.Join(l.folder, "in")), Output: filepath.Join(l.folder, "out"),
			})
			l.must(l.step(id).plan(t.Context()))
			j := l.job(id)
			if c.ok && j.Phase != job.PhaseMap {
				t.Errorf("the job is in phase %s: %+v", j.Phase, j.Error)
			}
			if !c.ok && (j.State != job.Failed || !strings.Contains(j.Error.Message, "is not empty")) {
				t.Errorf("the job is %s: %+v", j.State, j.Error)
			}
		})
	}
}
