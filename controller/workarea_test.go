package controller

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
)

// No location leads into the work area, but one that lies in there as it is written.
func TestInputsPassOverTheWorkArea(t *testing.T) {
	for _, below := range []string{"", "bm"} { // where the work store lies
		root := writeTree(t, "data/x.txt", "jobsheet.txt", "3d.txt")
		for _, name := range []string{"jobs/j/plan-a/0", "jobs/j/job.json", "jobs/j/program/p.py", "logs/j/m0.1.log", "0/j/m0.1.seg", "a/j/m1.1.seg", "f/j/r0.manifest"} {
			path := filepath.Join(root, below, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("secret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(filepath.Join(root, below), filepath.Join(root, "link")); err != nil {
			t.Fatal(err)
		}
		b, key, err := opener(t)(t.Context(), filepath.Join(root, below))
		if err != nil {
			t.Fatal(err)
		}
		area := workArea{bucket: b.URL(), layout: layout.Layout{Prefix: strings.Trim(key, "/")}}
		find := func(pattern string) (string, inputs, error) {
			in, err := findInputs(t.Context(), opener(t), area, []string{filepath.Join(root) + "/" + pattern})
			return paths(root, in), in, err
		}
		at := strings.TrimPrefix(below+"/", "/")
		for _, pattern := range []string{
			"", "**", "*/**", "**/*", at + "**", at + "j[o]bs/**", at + "?obs/**", at + "{jobs,x}/**", at + "[0-9]/**", at + "[0-9a-f]", at + "lo[g]s/**",
			at + "*", at + "[!x]", at + `j\obs/**`, at + "{logs,jobs}", at + "jo*", "link/", "link/**", "l[i]nk/jobs/**", "link", "link/jobs/j/program", "link/0",
		} {
			got, in, err := find(pattern)
			if strings.Contains(got, "jobs/") || strings.Contains(got, "logs/") || strings.Contains(got, "/j/") {
				t.Errorf("work area below %q: %s finds %s", below, pattern, got)
			}
			if err == nil && in.own == 0 && got == "" {
				t.Errorf("work area below %q: %s finds nothing, and says nothing of it", below, pattern)
			}
			if err != nil && !strings.Contains(err.Error(), "what Bucketmill keeps on the work store for itself") && !strings.Contains(err.Error(), "matches the glob") {
				t.Errorf("work area below %q: %s: %v", below, pattern, err)
			}
		}
		if got, in, err := find("*"); got != "3d.txt data/x.txt jobsheet.txt" || in.own < 4 || err != nil {
			t.Errorf("work area below %q: * finds %s and passes %d folders over, %v", below, got, in.own, err)
		}
		for pattern, want := range map[string]string{
			at + "jobs/j/program/": at + "jobs/j/program/p.py", at + "logs/**": at + "logs/j/m0.1.log", at + "0/j/m0.1.seg": at + "0/j/m0.1.seg",
		} {
			if got, _, err := find(pattern); got != want || err != nil {
				t.Errorf("%s, outright, finds %s, %v", pattern, got, err)
			}
		}
	}
}

// What a controller plans keeps to that.
func TestPlansPassOverTheWorkArea(t *testing.T) {
	l := newLab(t, nil)
	l.write(filepath.Join(l.folder, "in.txt"), "x\n")
	l.write(filepath.Join(l.folder, "work", "jobs", "other", "program", "p.py"), "secret\n")
	l.submit("j", job.Spec{Program: "wordcount", Kind: "builtin", Input: job.Inputs(l.folder + "/"), Output: l.folder + ".out", Format: "text"})
	job, spec := l.job("j")
	tasks, plan, err := l.makePlan(t.Context(), job, spec)
	l.must(err)
	for task := range tasks.All {
		for _, s := range task {
			if !strings.HasSuffix(s.Input, "/in.txt") {
				t.Errorf("the plan has %s", s.Input)
			}
		}
	}
	if plan.Inputs != 1 || plan.Own != 1 {
		t.Errorf("the plan has %d inputs, and passed over %d folders", plan.Inputs, plan.Own)
	}
}

func TestOwnedKeys(t *testing.T) {
	for _, prefix := range []string{"", "p", "p/q"} {
		l := layout.Layout{Prefix: prefix, Job: "j", Spread: 16}
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
