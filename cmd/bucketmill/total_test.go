package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// concatenated returns the parts of an output in sequence.
func concatenated(parts []part) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p.data...)
	}
	return all
}

// sortedLines returns the lines of a text in the order of LC_ALL=C sort.
func sortedLines(text []byte) []byte {
	lines := slices.Collect(bytes.Lines(text))
	slices.SortFunc(lines, func(x, y []byte) int {
		return bytes.Compare(bytes.TrimSuffix(x, []byte("\n")), bytes.TrimSuffix(y, []byte("\n")))
	})
	return bytes.Join(lines, nil)
}

// sampleRecords returns deterministic records that end in LF.
func sampleRecords(t *testing.T, size string) []byte {
	t.Helper()
	records, err := generate(t, "records", "-o", "-", "--size", size)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(records, []byte("\r\n"), []byte("\n"))
}

// checkSpilled checks that the job had too little memory and spilled.
func checkSpilled(t *testing.T, output string) {
	t.Helper()
	success := filesLike(t, output, "_SUCCESS")["_SUCCESS"]
	if !regexp.MustCompile(`"spilled_bytes": ?[1-9]`).MatchString(success) {
		t.Errorf("nothing was spilled: %s", success)
	}
}

func TestTotalOrderEqualsSort(t *testing.T) {
	t.Parallel()
	records := sampleRecords(t, "12MB") // a part of which is sampled
	input := writeFiles(t, map[string]string{"in.txt": string(records)})
	for name, flags := range map[string][]string{
		"plenty of memory": nil,
		"spilled":          {"--memory", "32MiB", "--executors", "2", "--maps", "1"},
		"sorted values":    {"--sort-values"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"sort", "-i", input, "--sort-order", "total", "-r", "4"}, flags...)
			output := filepath.Join(t.TempDir(), "out")
			parts := mustRun(t, output, args...)
			if name == "spilled" {
				checkSpilled(t, output)
			}
			if !bytes.Equal(concatenated(parts), sortedLines(records)) {
				t.Error("the parts in sequence are not the sorted lines")
			}
			for _, p := range parts {
				if len(p.data) > len(records)/4*12/10 {
					t.Errorf("%s has %d of %d bytes", p.name, len(p.data), len(records))
				}
			}
		})
	}
}

func TestTotalOrderOnS3(t *testing.T) {
	t.Parallel()
	records := sampleRecords(t, "3MB")
	c := newCloud(t)
	c.put("in/a.txt", string(records[:len(records)/300*100]))
	c.put("in/b.txt", string(records[len(records)/300*100:]))
	p := c.start("minio", "sort", "-i", "BUCKET/in/", "-o", "BUCKET/out", "-r", "4", "--sort-order", "total", "--maps", "8", "--executors", "4")
	if code := p.wait(patience).ExitCode(); code != exitDone {
		t.Fatalf("exit code %d\n%s", code, p.stderr.String())
	}
	if got := concatenated(checkOutput(t, c.download("out/"))); !bytes.Equal(got, sortedLines(records)) {
		t.Error("the parts in sequence are not the sorted lines")
	}
}

// A reducer that needs all values of a heavy key gets them, in a separate part, and the other parts
// have similar sizes.
func TestTotalOrderOfAHeavyKey(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 20_000 {
		if i%10 < 6 {
			text.WriteString("heavy\n")
		} else {
			fmt.Fprintf(&text, "%c%05d\n", "ahz"[i%3], i*7919%20_000)
		}
	}
	input := writeFiles(t, map[string]string{"in.txt": text.String(), "job.py": `
def map_fn(key, value):
    yield (value, 1)

def reduce_fn(key, values):
    yield (key, sum(values))
`})
	output := filepath.Join(t.TempDir(), "out")
	parts := mustRun(t, output, filepath.Join(input, "job.py"), "-i", filepath.Join(input, "in.txt"), "-r", "8", "--sort-order", "total", "--maps", "4")
	var keys []string
	for _, p := range parts {
		lines := p.lines()
		if slices.Contains(lines, "heavy\t12000") {
			if len(lines) > 1 {
				t.Errorf("%s has %d keys beside the heavy one", p.name, len(lines)-1)
			}
		} else if len(lines) > 1600 { // 8000 over 7 parts
			t.Errorf("%s has %d keys", p.name, len(lines))
		}
		for _, line := range lines {
			key, _, _ := strings.Cut(line, "\t")
			keys = append(keys, key)
		}
	}
	if !slices.IsSorted(keys) || !slices.Contains(keys, "heavy") {
		t.Errorf("%d keys are not in order, or the heavy one is missing", len(keys))
	}
}

// A program that fails while keys are sampled fails the job as usual. If bad records may be
// skipped, the sample omits their pieces.
func TestProgramFailsInSampling(t *testing.T) {
	t.Parallel()
	input := writeFiles(t, map[string]string{
		"in.txt": badLines(3000, map[int]string{1234: "raise the roof", 2000: "crash"}), "job.py": pickyProgram + `
def reduce_fn(key, values):
    yield (key, sum(values))
`,
	})
	args := []string{filepath.Join(input, "job.py"), "-i", filepath.Join(input, "in.txt"), "-r", "3", "--sort-order", "total", "--maps", "2"}
	r := runJob(t, append(args, "-o", filepath.Join(t.TempDir(), "out"), "--max-attempts", "2")...)
	if want := regexp.MustCompile(`ValueError: no raise the roof|segmentation fault`); r.code != exitFailed || !want.MatchString(r.stderr) {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	output := filepath.Join(t.TempDir(), "out")
	r = runJob(t, append(args, "-o", output, "--skip-bad-records", "2")...)
	if r.code != exitDone {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	files := filesLike(t, output, "part-*")
	var keys []string
	for i := range 3 {
		keys = append(keys, part{data: []byte(files[fmt.Sprintf("part-%05d", i)])}.lines()...)
	}
	if !slices.IsSorted(keys) || len(keys) != 40 {
		t.Errorf("%d keys, not in order or not all: %q", len(keys), keys)
	}
}
