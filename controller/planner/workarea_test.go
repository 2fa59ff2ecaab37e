package planner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/layout"
)

// No location leads into the work area, except one that is in there as it is written.
func TestInputsPassOverTheWorkArea(t *testing.T) {
	for _, below := range []string{"", "bm"} { // where the work store is
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
		area := WorkArea{Bucket: b.URL(), Layout: layout.Layout{Prefix: strings.Trim(key, "/")}}
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
				t.Errorf("work area below %q: %s finds nothing, and does not say why", below, pattern)
			}
			if err != nil && !strings.Contains(err.Error(), "what Bucketmill keeps on the work store for itself") && !strings.Contains(err.Error(), "matches the glob") {
				t.Errorf("work area below %q: %s: %v", below, pattern, err)
			}
		}
		if got, in, err := find("*"); got != "3d.txt data/x.txt jobsheet.txt" || in.own < 4 || err != nil {
			t.Errorf("work area below %q: * finds %s and skips %d folders, %v", below, got, in.own, err)
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
