package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNamesThatAreNotText reads files whose names are not UTF-8, or look escaped.
func TestNamesThatAreNotText(t *testing.T) {
	folder := writeFiles(t, map[string]string{
		"in/a.txt": "good\n", "in/b\xff.txt": "bad\n", "in/\xc3(\xe2\x82.txt": "bad\n", "in/f\xfcr/c.txt": "good\n", "in/%41%zz.txt": "good\n",
		"whole.py": "def map_fn(key, value):\n    yield (key, len(value))\ndef reduce_fn(key, values):\n    yield (key, sum(values))\n",
		"picky.py": "def map_fn(key, value):\n    if value == 'bad':\n        raise ValueError('no')\n    yield (value, 1)\ndef reduce_fn(key, values):\n    yield (key, sum(values))\n",
	})
	in := filepath.Join(folder, "in")
	var files []string
	for _, name := range tree(t, in) {
		if strings.HasSuffix(name, ".txt") {
			files = append(files, in+"/"+name)
		}
	}
	if len(files) != 5 {
		t.Fatalf("there are %q", files)
	}
	for _, c := range []struct {
		name string
		args []string
		key  func(line string) string
	}{
		{"index", []string{"index", "-r", "1"}, func(line string) string { return line[strings.IndexByte(line, '\t')+1:] }},
		{"python", []string{folder + "/whole.py", "--format", "whole", "-r", "1"}, firstField},
		{"python, one task each", []string{folder + "/whole.py", "--format", "whole", "--maps", "9", "-r", "1"}, firstField},
		{"commands", []string{"--mapper", `sh -c 'cat > /dev/null; echo $mapreduce_map_input_file'`, "-r", "1"}, firstField},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, line := range joined(mustRun(t, filepath.Join(t.TempDir(), "out"), append(c.args, "-i", in)...)) {
				for name := range strings.SplitSeq(c.key(line), ",") {
					got = append(got, strings.TrimPrefix(name, "file://"))
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, files) {
				t.Errorf("got %q, want %q", got, files)
			}
		})
	}
	t.Run("set aside", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out")
		if r := runJob(t, folder+"/picky.py", "-i", in, "--skip-bad-records", "2", "-o", out); r.code != exitDone {
			t.Fatalf("exit code %d\n%s", r.code, r.stderr)
		}
		text, err := os.ReadFile(out + "/_skipped/m0.jsonl")
		if err != nil || !strings.Contains(string(text), `b\\xff.txt\"","offset":0`) || strings.Count(string(text), "\n") != 2 {
			t.Errorf("skipped: %s, %v", text, err)
		}
	})
	for _, c := range []struct{ args, want string }{
		{"--format fixed:7 -i IN/b?.txt", `b\xff.txt": at byte 0: its size, 4 bytes, is not a multiple`},
		{"-i IN/b\xff.txt", `b\xff.txt" is not UTF-8: name the folder above`},
		{"-i IN/a.txt/x\xff", `x\xff" is not UTF-8`},
	} {
		args := append([]string{"wordcount", "-o", folder + "/new"}, strings.Fields(strings.ReplaceAll(c.args, "IN", in))...)
		if r := runJob(t, args...); r.code == exitDone || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%q: exit code %d, want %s in\n%s", args, r.code, c.want, r.stderr)
		}
	}
}

func firstField(line string) string { return line[:strings.IndexByte(line, '\t')] }
