package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestCompressedUnderAnotherName runs jobs over compressed objects that are cut into several
// splits, since their names do not show the compression.
func TestCompressedUnderAnotherName(t *testing.T) {
	t.Parallel()
	records := string(sampleRecords(t, "2MB"))
	z, err := zstd.NewWriter(nil)
	must(t, err)
	folder := writeFiles(t, map[string]string{
		"plain/a.txt": records, "gzip/a.log": string(gzipped(t, records)), "zstd/part-00000": string(z.EncodeAll([]byte(records), nil)),
	})
	total := []string{"sort", "--sort-order", "total", "-r", "4"}
	for name, args := range map[string][]string{
		"word count":  {"wordcount", "-r", "2"},
		"direct":      {"grep", "-p", "pattern=A", "-r", "1"},
		"total order": total,
		"a command":   {"--mapper", "cat", "--reducer", "cat", "-r", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := mustRun(t, filepath.Join(t.TempDir(), "out"), append(args, "-i", folder+"/plain/")...)
			for _, input := range []string{"gzip", "zstd"} {
				for _, cut := range [][]string{{"--maps", "7"}, {"--split-size", "100000"}, {"--maps", "1"}} {
					parts := mustRun(t, filepath.Join(t.TempDir(), "out"), append(append(args, "-i", folder+"/"+input+"/"), cut...)...)
					if name == "total order" && !bytes.Equal(concatenated(parts), concatenated(plain)) {
						t.Errorf("%s, %v: not in order", input, cut)
					}
					sameLines(t, joined(parts), joined(plain))
					for _, p := range parts {
						if slices.Equal(args, total) && len(p.data) > len(records)/4*14/10 {
							t.Errorf("%s, %v: %s has %d of %d bytes", input, cut, p.name, len(p.data), len(records))
						}
					}
				}
			}
		})
	}
}

// TestSkippedInCompressedUnderAnotherName finds bad records in an object that can only be read from
// its beginning.
func TestSkippedInCompressedUnderAnotherName(t *testing.T) {
	t.Parallel()
	text := badLines(3000, map[int]string{1234: "raise the roof", 2000: "crash", 2999: "raise the last"})
	folder := writeFiles(t, map[string]string{"in.log": string(gzipped(t, text)), "job.py": pickyMapper})
	for _, maps := range []string{"1", "3"} {
		out := filepath.Join(t.TempDir(), "out")
		r := runJob(t, folder+"/job.py", "-i", folder+"/in.log", "-o", out, "--skip-bad-records", "3", "--maps", maps, "-r", "1")
		if r.code != exitDone || !strings.Contains(r.stdout, "\n3 records were skipped") {
			t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		data, err := os.ReadFile(filepath.Join(out, "part-00000"))
		must(t, err)
		n := 0
		for line := range strings.Lines(string(data)) {
			_, count, _ := strings.Cut(strings.TrimSpace(line), "\t")
			one, err := strconv.Atoi(count)
			must(t, err)
			n += one
		}
		if n != 2997 {
			t.Errorf("%d records were counted", n)
		}
	}
}

// pickyMapper fails on lines, not on keys.
const pickyMapper = `import os, signal

def map_fn(key, value):
    if value.startswith("raise"):
        raise ValueError("no " + value)
    if value.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    yield (value.split(" ")[0], 1)

def reduce_fn(key, values):
    yield (key, sum(values))
`

// TestForeignInput checks that the error says what is wrong with the input, and that its advice
// works.
func TestForeignInput(t *testing.T) {
	t.Parallel()
	xz := "\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\nand more\n"
	folder := writeFiles(t, map[string]string{
		"a.txt": xz, "u.csv": "\xff\xfea\x00,\x00b\x00\n\x00", "long.zst": "",
		"job.json": `{"program": "grep", "params": {"pattern": "and more"}, "input": ["IN/a.txt"], "output": "IN/out", "compression": "none"}`,
	})
	refusedInput := func(want string, args ...string) {
		t.Helper()
		r := runJob(t, append(args, "-o", filepath.Join(t.TempDir(), "out"))...)
		if r.code == exitDone || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: exit code %d, without %q\n%s", args, r.code, want, r.stderr)
		}
	}
	refusedInput(folder+"/a.txt: the object contains xz data, which can't be read as text: decompress it (xz -d), or read the bytes as they are with --compression none",
		"wordcount", "-i", folder+"/a.txt")
	refusedInput("u.csv: the object contains UTF-16 text, which can't be read as csv: convert it (iconv -f UTF-16 -t UTF-8)",
		"activity", "-p", "by=action", "--format", "csv", "-i", folder+"/u.csv")
	refusedInput(`unknown compression "gzip"`, "wordcount", "-i", folder+"/a.txt", "--compression", "gzip")
	refusedInput("--compression none", "wordcount", "-i", folder+"/a.txt", "--format", "raw")

	job := filepath.Join(folder, "job.json")
	text, err := os.ReadFile(job)
	must(t, err)
	must(t, os.WriteFile(job, bytes.ReplaceAll(text, []byte("IN"), []byte(folder)), 0o600))
	sameLines(t, joined(mustRun(t, filepath.Join(folder, "out"), "-f", job)), []string{"and more"})
	refusedInput("contains xz data", "-f", job, "--compression", "auto")
}
