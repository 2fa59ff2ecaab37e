package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// contents reads all files below a folder.
func contents(t testing.TB, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range tree(t, folder) {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	return files
}

func TestOverwrite(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{
		"old.txt": "old words\n", "new.txt": "new\n", "corrupt.gz": "no gzip",
		"out/readme.md": "mine", "out/part-of-mine": "mine", "out/part-0": "mine", "out/part-00009x": "mine",
	})
	foreign := contents(t, folder+"/out")
	out := filepath.Join(folder, "out")
	if r := runJob(t, "wordcount", "-i", folder+"/old.txt", "-o", out, "-r", "5"); r.code != exitFailed || !maps.Equal(contents(t, out), foreign) {
		t.Fatalf("without --overwrite: exit code %d, %q", r.code, tree(t, out))
	}
	if r := runJob(t, "wordcount", "-i", folder+"/old.txt", "-o", out, "-r", "5", "--overwrite"); r.code != exitDone {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	before := contents(t, out)
	if len(before) != len(foreign)+6 {
		t.Fatalf("the folder has %q", tree(t, out))
	}
	t.Run("fails while it maps", func(t *testing.T) {
		r := runJob(t, "wordcount", "-i", folder+"/corrupt.gz", "-o", out, "-r", "5", "--overwrite")
		if r.code != exitFailed || !maps.Equal(contents(t, out), before) {
			t.Errorf("exit code %d, the folder has %q", r.code, tree(t, out))
		}
	})
	t.Run("fails while it reduces", func(t *testing.T) {
		program := filepath.Join(t.TempDir(), "fails.py")
		writeFile(t, program, strings.Replace(pythonWordCount, "yield (key, sum(values))", "raise ValueError(key)", 1))
		r := runJob(t, program, "-i", folder+"/old.txt", "-o", out, "-r", "5", "--overwrite", "--max-attempts", "1")
		if r.code != exitFailed || !maps.Equal(contents(t, out), before) {
			t.Errorf("exit code %d, the folder has %q", r.code, tree(t, out))
		}
	})
	t.Run("has fewer parts", func(t *testing.T) {
		r := runJob(t, "wordcount", "-i", folder+"/new.txt", "-o", out, "-r", "2", "--overwrite")
		if r.code != exitDone {
			t.Fatalf("exit code %d\n%s", r.code, r.stderr)
		}
		after := contents(t, out)
		if after["part-00000"]+after["part-00001"] != "new\t1\n" {
			t.Errorf("the parts are %q, %q", after["part-00000"], after["part-00001"])
		}
		for name, text := range foreign {
			if after[name] != text {
				t.Errorf("%s is %q now", name, after[name])
			}
		}
		if names := slices.Sorted(maps.Keys(after)); len(names) != len(foreign)+3 {
			t.Errorf("the folder has %q", names)
		}
	})
}
