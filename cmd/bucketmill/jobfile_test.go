package main

import (
	"path/filepath"
	"testing"
)

func TestJobFile(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "B b a\n", "other.txt": "other\n"})
	in, out := filepath.Join(folder, "in.txt"), filepath.Join(folder, "out")
	yaml := "program: wordcount\ninput: [" + in + "]\noutput: " + out + "\nreducers: 2\nmaps: 3\nparams:\n  lower: true\n"
	json := `{"program": "wordcount", "input": ["` + in + `"], "output": "` + out + `", "reducers": 2, "split_size": "1KiB", "params": {"lower": true}}`
	for _, c := range []struct {
		name, file string
		flags      []string // without --file and --output
		parts      int
		want       []string
	}{
		{"YAML", yaml, nil, 2, []string{"a\t1", "b\t2"}},
		{"JSON", json, nil, 2, []string{"a\t1", "b\t2"}},
		{"reducers by flag", yaml, []string{"-r", "1"}, 1, []string{"a\t1", "b\t2"}},
		{"map only by flag", yaml, []string{"-r", "0", "--maps", "1"}, 1, []string{"a\t1", "b\t1", "b\t1"}},
		{"parameter by flag", yaml, []string{"-p", "lower=false"}, 2, []string{"B\t1", "a\t1", "b\t1"}},
		{"another parameter by flag", yaml, []string{"-p", "letters=true"}, 2, []string{"a\t1", "b\t2"}},
		{"input by flag", yaml, []string{"-i", filepath.Join(folder, "other.txt")}, 2, []string{"other\t1"}},
		{"split size by flag instead of maps", yaml, []string{"--split-size", "2"}, 2, []string{"a\t1", "b\t2"}},
		{"maps by flag instead of split size", json, []string{"--maps", "2"}, 2, []string{"a\t1", "b\t2"}},
		{"program by argument", yaml, []string{"wordcount"}, 2, []string{"a\t1", "b\t2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "job.yaml")
			writeFile(t, file, c.file)
			parts := mustRun(t, filepath.Join(t.TempDir(), "elsewhere"), append([]string{"--file", file}, c.flags...)...)
			if len(parts) != c.parts {
				t.Errorf("%d parts, want %d", len(parts), c.parts)
			}
			sameLines(t, joined(parts), c.want)
			if names := tree(t, folder); len(names) != 2 {
				t.Errorf("the file's output was written to: %q", names)
			}
		})
	}
}

// Text in a job file keeps its characters, whatever type YAML sees in it.
func TestJobFileKeepsText(t *testing.T) {
	folder := writeFiles(t, map[string]string{
		"a.txt": "x\n",
		"p.py":  "def map_fn(k, v):\n    for n in sorted(PARAMS): yield (n, PARAMS[n])\n",
		"job.yaml": "program: p.py\ninput: [a.txt]\noutput: 2026-11-01\nreducers: 0\n" +
			"params: {day: 2026-11-01, zip: 01234, ver: 1.10, thousand: 1_000, on: yes}\n",
	})
	t.Chdir(folder)
	parts := mustRun(t, filepath.Join(folder, "2026-11-01"), "--file", "job.yaml")
	want := []string{"day\t2026-11-01", "on\tyes", "thousand\t1_000", "ver\t1.10", "zip\t01234"}
	sameLines(t, joined(parts), want)
}
