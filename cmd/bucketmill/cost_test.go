package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"

	"github.com/bucketmill/bucketmill/objstore"
)

// costRows parses the rows of a table of costs: the expected and, in the second table, the actual
// ones.
func costRows(t *testing.T, stdout string) map[string][2]float64 {
	t.Helper()
	_, table, ok := strings.Cut(stdout, "expected   real\n")
	if !ok {
		if _, table, ok = strings.Cut(stdout, "expected\n"); !ok {
			t.Fatalf("no table in\n%s", stdout)
		}
	}
	rows := map[string][2]float64{}
	for line := range strings.Lines(table) {
		cells := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1)
		if len(cells) < 2 {
			break
		}
		var values [2]float64
		for i, cell := range cells[1:] {
			values[i] = costValue(t, cell)
		}
		rows[cells[0]] = values
	}
	return rows
}

func costValue(t *testing.T, cell string) float64 {
	t.Helper()
	if d, ok := strings.CutPrefix(cell, "$"); ok {
		v, err := strconv.ParseFloat(d, 64)
		must(t, err)
		return v
	}
	if strings.HasSuffix(cell, "B") {
		n, err := humanize.ParseBytes(cell)
		must(t, err)
		return float64(n)
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(cell, "s"), "m"), ",", ""), 64)
	must(t, err)
	return v
}

// checkCosts compares the expected with the actual costs: requests exactly, sizes with a tolerance.
func checkCosts(t *testing.T, stdout string, tolerance float64) {
	t.Helper()
	rows := costRows(t, stdout)
	for _, kind := range []string{"GET", "HEAD", "PUT", "LIST", "DELETE"} {
		if r, ok := rows[kind]; !ok || r[0] != r[1] {
			t.Errorf("%v %s were expected, %v were sent\n%s", r[0], kind, r[1], stdout)
		}
	}
	for _, size := range []string{"shuffle", "output"} {
		if r, ok := rows[size]; !ok || r[1] > r[0]*tolerance || r[1] < r[0]/tolerance {
			t.Errorf("%s: expected %v, but got %v\n%s", size, r[0], r[1], stdout)
		}
	}
	if r := rows["requests cost"]; r[0] <= 0 || r[0] != r[1] {
		t.Errorf("requests cost %v\n%s", r, stdout)
	}
	if r := rows["time"]; r[0] <= 0 || r[1] <= 0 {
		t.Errorf("time %v\n%s", r, stdout)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for kind, size := range map[string]string{"text": "10MB", "records": "25MB"} {
		_, err := generate(t, kind, "--output", filepath.Join(folder, kind), "--size", size, "--files", "2")
		must(t, err)
	}
	for name, args := range map[string][]string{
		"word count":      {"wordcount", "-i", folder + "/text", "-r", "3"},
		"one map":         {"wordcount", "-i", folder + "/text", "-r", "3", "--maps", "1"},
		"copies":          {"sort", "-i", folder + "/records", "-r", "40"}, // manifests that are too large for Redis
		"a large segment": {"sort", "-i", folder + "/records", "-r", "1", "--maps", "1"},
		"map only":        {"sort", "-i", folder + "/records", "-r", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := shortFolder(t) + "/out" // so that the handles of parts are small
			if name != "word count" {
				out = filepath.Join(t.TempDir(), strings.Repeat("long", 30), "out")
			}
			for _, more := range [][]string{{"--executors", "1"}, {"--overwrite", "--executors", "1"}} {
				r := runJob(t, append(append(args, "-o", out, "--explain"), more...)...)
				if r.code != exitDone {
					t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
				}
				checkCosts(t, r.stdout, 1.5)
			}
		})
	}
}

// shortFolder makes a temporary folder with a short name.
func shortFolder(t *testing.T) string {
	folder, err := os.MkdirTemp("", "x")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(folder)) })
	return folder
}

func TestExplainOnS3(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.put("in/a.txt", sampleText(t, 9<<20, 1))
	c.put("in/b.txt", sampleText(t, 1<<20, 2))
	for _, args := range [][]string{
		{"wordcount", "-i", "BUCKET/in/", "-o", "BUCKET/out", "-r", "3", "--explain", "--executors", "1"},
		{"sort", "-i", "BUCKET/in/*.txt", "-o", "BUCKET/sorted", "-r", "2", "--explain", "--executors", "1", "--shuffle-ratio", "0.6"},
	} {
		p := c.start("minio", args...)
		if code := p.wait(patience).ExitCode(); code != exitDone {
			t.Fatalf("exit code %d\n%s", code, p.stderr.String())
		}
		checkCosts(t, p.stdout.String(), 1.6)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	input := writeFiles(t, map[string]string{"in.txt": strings.Repeat("some words\n", 1<<20)})
	out := filepath.Join(t.TempDir(), "out")
	args := func(more ...string) []string {
		return append([]string{"wordcount", "-i", input, "-o", out, "-r", "5", "--maps", "10", "--dry-run"}, more...)
	}
	r := runJob(t, args("--price-put", "1000", "--price-get", "0")...)
	if r.code != exitDone || !strings.Contains(r.stdout, "11 MiB in 1 object; 10 map tasks of 1.1 MiB, 5 reduce tasks") {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	rows := costRows(t, r.stdout)
	if want := rows["PUT"][0] + rows["LIST"][0]; rows["requests cost"][0] != want || want < 10+5 {
		t.Errorf("%v PUT and LIST at a dollar cost %v", want, rows["requests cost"][0])
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("there is an output: %v", err)
	}
	ratio := costRows(t, runJob(t, args("--shuffle-ratio", "0.25")...).stdout)["shuffle"][0]
	if want := 0.25 * 11 * (1 << 20); ratio < 0.95*want || ratio > 1.05*want {
		t.Errorf("a quarter of 11 MiB is %v", ratio)
	}
	for _, flag := range []string{"--price-put", "--price-get", "--shuffle-ratio"} {
		if r := runJob(t, args(fmt.Sprintf("%s=-1", flag))...); r.code != exitUsage || !strings.Contains(r.stderr, flag) {
			t.Errorf("%s -1: exit code %d, %s", flag, r.code, r.stderr)
		}
	}
	if r := runJob(t, "wordcount", "-i", input+"/nothing", "-o", out, "--dry-run"); r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, "nothing") {
		t.Errorf("no input: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// Requests that were sent again are counted, and shown only if there were any.
func TestRepeatedRequestsAreTold(t *testing.T) {
	for _, requests := range []objstore.Stats{{Gets: 20}, {Gets: 20, Retries: 3, Hedges: 4}} {
		var table strings.Builder
		must(t, new(expectation).print(&table, &actual{requests: requests}))
		if r, told := costRows(t, table.String())["repeated"]; told != (requests.Retries > 0) || int64(r[1]) != requests.Retries+requests.Hedges {
			t.Errorf("%+v\n%s", requests, table.String())
		}
	}
}
