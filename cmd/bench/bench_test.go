package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCases runs every case with very little data, so that the cases keep working.
func TestCases(t *testing.T) {
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{
		"--size", "0.0005", "--runs", "1", "--markdown", "--data", t.TempDir(),
		"--peer", `peer=awk '{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) print n[w] w }' {input} | sed -E 's/^([0-9]+)(.*)/\2 \1/' > {output}`,
	}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	for _, c := range cases {
		if !strings.Contains(stdout.String(), "### "+c.name+": ") {
			t.Errorf("no table of %s in\n%s", c.name, stdout.String())
		}
	}
	for _, trouble := range []string{"absent", "FAIL", "not run"} {
		if strings.Contains(stdout.String(), trouble) {
			t.Errorf("%q in\n%s", trouble, stdout.String())
		}
	}
	if n := strings.Count(stdout.String(), "\n| "); n != len(cases)+rowsInAll {
		t.Errorf("%d lines in all tables, want %d\n%s", n, len(cases)+rowsInAll, stdout.String())
	}
}

// rowsInAll is the number of contenders of all cases, with the peer.
const rowsInAll = 6 + 3 + 2 + 2 + 1 + 2 + 1 + 2 + 4

// TestWrongOutputFails checks that a wrong output fails the run visibly.
func TestWrongOutputFails(t *testing.T) {
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{
		"--case", "wordcount", "--size", "0.0005", "--runs", "1", "--data", t.TempDir(),
		"--peer", "peer=head -1 {input} | tr -s ' ' '\\n' | sed 's/$/ 1/' > {output}",
	}, &stdout, &stderr)
	if !errors.Is(err, errFailed) {
		t.Errorf("the run ended with %v", err)
	}
	if out := stdout.String(); !strings.Contains(out, "**FAIL** wordcount: peer: ") || !strings.Contains(out, ": WRONG OUTPUT: ") {
		t.Errorf("no failure in\n%s", stdout.String())
	}
}

func TestRivals(t *testing.T) {
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{
		"--case", "wordcount", "--size", "0.0005", "--runs", "1", "--data", t.TempDir(), "--rivals", "^Go by", "--peer", "peer=false {input} {output}",
	}, &stdout, &stderr)
	if out := stdout.String(); err != nil || !strings.Contains(out, "bucketmill run") || !strings.Contains(out, "Go by hand") || strings.Contains(out, "awk") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := run(t.Context(), []string{"--rivals", "("}, &stdout, &stderr); err == nil {
		t.Error("( is accepted as an expression")
	}
}

func TestWordChecks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("b a\r\nb\n\nc  b"), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := countWords(file)
	if err != nil {
		t.Fatal(err)
	}
	for output, right := range map[string]bool{
		"a\t1\nb\t3\nc\t1\n":         true,
		"c 1\nb 3\na 1":              true,
		"a\t1\nb\t3\n":               false,
		"a\t1\nb\t2\nc\t1\n":         false,
		"a\t1\nb\t3\nc\t1\nd\t1\n":   false,
		"a\t1\nb\t3\nb\t3\nc\t1\n":   false,
		"a\t1\nb\t3\nc\n":            false,
		"a\t1\nb\t3\nc\tone\n":       false,
		"":                           false,
		"a\t1\nb\t3\nc\t1\nc\t1\n\n": false,
	} {
		err := want.checkReader(strings.NewReader(output))
		if right != (err == nil) || !right && !errors.Is(err, errWrong) {
			t.Errorf("%q: %v", output, err)
		}
	}
	if err := want.checker(true).check([]byte("   3 b")); err != nil {
		t.Error(err)
	}
}

func TestSortChecks(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want, err := sumLines(write("input", "b\r\na\nb\nd\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		parts            []string
		each, throughout bool
	}{
		{[]string{"a\nb\nb\nd\n"}, true, true},
		{[]string{"a\nb\n", "b\nd\n"}, true, true},
		{[]string{"b\nd\n", "a\nb\n"}, true, false},
		{[]string{"b\na\nb\nd\n"}, false, false},
		{[]string{"a\nb\nd\n"}, false, false},
		{[]string{"a\nb\nd\nd\n"}, false, false},
		{[]string{"a\nb\nb\nb\nd\n"}, false, false},
	} {
		var files []string
		for i, text := range c.parts {
			files = append(files, write(string(rune('0'+i)), text))
		}
		for throughout, right := range map[bool]bool{false: c.each, true: c.throughout} {
			if err := want.checkSorted(files, throughout); right != (err == nil) {
				t.Errorf("%q, throughout %t: %v", c.parts, throughout, err)
			}
		}
	}
}

func TestRatios(t *testing.T) {
	took := func(seconds ...int) row {
		var r row
		for _, s := range seconds {
			r.results = append(r.results, result{usage: usage{wall: time.Duration(s) * time.Second}})
		}
		return r
	}
	// In one round the machine is three times slower, for both.
	ours, rival := took(2, 6, 2, 2, 2), took(4, 12, 4, 4, 4)
	if middle, low, high := rival.ratio(&ours, wallOf); middle != 0.5 || low != 0.5 || high != 0.5 {
		t.Errorf("ratio %v (%v – %v)", middle, low, high)
	}
	ours, rival = took(1, 2, 3, 4, 5), took(10, 10, 10, 10, 10)
	if middle, low, high := rival.ratio(&ours, wallOf); middle != 0.3 || low != 0.1 || high != 0.5 {
		t.Errorf("ratio %v (%v – %v)", middle, low, high)
	}
	samples := make([]time.Duration, 100)
	for i := range samples {
		samples[99-i] = time.Duration(i + 1)
	}
	if p50, p99 := percentile(samples, 0.5), percentile(samples, 0.99); p50 != 50 || p99 != 99 {
		t.Errorf("p50 %d, p99 %d", p50, p99)
	}
}

// TestMeasure checks that a process and its children are measured, and no others.
func TestMeasure(t *testing.T) {
	b := &bench{folder: t.TempDir()}
	// The shell waits for a child of 80 MB.
	const script = `python3 -c 'import time; a = bytearray(80_000_000); t = time.process_time()
while time.process_time() - t < 0.4: pass'`
	u, err := b.measure(t.Context(), command{name: "sh", args: []string{"-c", script + "\ntrue"}})
	if err != nil {
		t.Fatal(err)
	}
	if u.peak < 80_000_000 || u.peak > 150_000_000 || u.cpu < 400*time.Millisecond || u.cpu > 5*time.Second || u.wall < 400*time.Millisecond {
		t.Errorf("%+v", u)
	}
	if _, err := b.measure(t.Context(), command{name: "sh", args: []string{"-c", "echo why >&2; exit 3"}}); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("a failing process: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if u, err := b.measure(ctx, command{name: "sleep", args: []string{"60"}}); !errors.Is(err, context.DeadlineExceeded) || u.wall > 30*time.Second {
		t.Errorf("a process that is stopped: %+v, %v", u, err)
	}
}

func TestParseRequests(t *testing.T) {
	counts, err := parseRequests(`# TYPE minio_api_requests_total counter
minio_api_requests_total{name="GetObject",server="127.0.0.1:1",type="s3"} 7
minio_api_requests_total{name="PutObject",server="127.0.0.1:1",type="s3"} 2
minio_api_requests_total{name="PutObjectPart",server="127.0.0.1:1",type="s3"} 1e+06
`)
	if err != nil || counts["GET"] != 7 || counts["PUT"] != 1_000_002 {
		t.Errorf("%v, %v", counts, err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"--case", "nonsense"}, {"--size", "0"}, {"--size", "huge"}, {"--runs", "0"}, {"--peer", "x=y"}, {"more"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil || errors.Is(err, errFailed) {
			t.Errorf("%q: %v", args, err)
		}
	}
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
	}
	if slices.Sort(names); len(slices.Compact(names)) != len(cases) {
		t.Errorf("two cases have the same name: %q", names)
	}
}

// If the environment names a program that does not exist, no other program silently replaces it.
func TestFindProgram(t *testing.T) {
	const env = "BUCKETMILL_BENCH_TEST_SERVER"
	b := &bench{repository: t.TempDir()}
	for named, ok := range map[string]bool{"": true, "true": true, filepath.Join(b.repository, "none"): false} {
		t.Setenv(env, named)
		found, err := b.findProgram("true", env)
		if (err == nil) != ok || ok != filepath.IsAbs(found) || err != nil && !strings.Contains(err.Error(), env) {
			t.Errorf("%s=%s: %q, %v", env, named, found, err)
		}
	}
}

func TestMinIOThatRefuses(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, err := (&minioServer{endpoint: server.URL}).requests(t.Context())
	if err == nil || !strings.Contains(err.Error(), "404 Not Found") || strings.Contains(err.Error(), "%!") {
		t.Errorf("%v", err)
	}
}
