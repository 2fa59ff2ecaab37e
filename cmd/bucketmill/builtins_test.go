package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
)

// Each builtin gives the right output for a few lines. IN means the input's folder.
func TestBuiltins(t *testing.T) {
	t.Parallel()
	type golden struct {
		args  []string
		input map[string]string
		want  string
	}
	const log = `1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 2326
5.6.7.8 - - [10/Oct/2026:13:55:37 +0000] "GET /x HTTP/1.1" 404 12 "-" "curl"
1.2.3.4 - - [10/Oct/2026:13:55:38 +0000] "GET /y HTTP/1.1" 500 0
not a log line
`
	const events = "timestamp,user,action,amount\n" +
		"2026-01-02T03:04:05Z,ann,buy,2.50\n2026-01-02T05:00:00Z,bob,view,0\n2026-01-03T00:00:00Z,ann,buy,1.25\n"
	goldens := map[string]golden{
		"wordcount": {nil, map[string]string{"a": "b a b\n"}, "a\t1\nb\t2\n"},
		"grep":      {[]string{"-p", "pattern=^b"}, map[string]string{"a": "bb\nab\nba\nbb\n"}, "ba\nbb\nbb\n"},
		"sort":      {nil, map[string]string{"a": "b\nB\n\na", "c": "a\n\xff\n"}, "\nB\na\na\nb\n\xff\n"},
		"distinct":  {nil, map[string]string{"a": "b\na\nb\n", "c": "a"}, "a\nb\n"},
		"index":     {[]string{"-p", "names=base"}, map[string]string{"x": "one two\n", "y": "two two\n"}, "one\tx\ntwo\tx,y\n"},
		"accesslog": {nil, map[string]string{"a": log}, "1.2.3.4\t2\t1\t0.5000\n5.6.7.8\t1\t1\t1.0000\n"},
		"activity":  {[]string{"--format", "csv"}, map[string]string{"a": events}, "ann\t2\t3.75\t2026-01-02T03:04:05Z\t2026-01-03T00:00:00Z\nbob\t1\t0.00\t2026-01-02T05:00:00Z\t2026-01-02T05:00:00Z\n"},
		"aggregate": {[]string{"-p", "ops=sum,max,count"}, map[string]string{"a": "k\t1\t5\nj\t2\t2\nk\t10\t3\n"}, "j\t2\t2\t1\nk\t11\t5\t2\n"},
	}
	for _, b := range kinds.All().Programs(job.OriginName) {
		g, ok := goldens[b.Name]
		if !ok {
			t.Errorf("%s has no test", b.Name)
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			args := append([]string{b.Name, "-i", writeFiles(t, g.input), "-r", "1"}, g.args...)
			parts := mustRun(t, filepath.Join(t.TempDir(), "out"), args...)
			if got := string(parts[0].data); got != g.want {
				t.Errorf("got %q\nwant %q", got, g.want)
			}
		})
	}
}

func TestProgramsListsEveryBuiltin(t *testing.T) {
	t.Parallel()
	r := command(t.Context(), "programs")
	for _, b := range kinds.All().Programs(job.OriginName) {
		if !strings.Contains(r.stdout, b.Name+" ") || r.code != exitDone {
			t.Errorf("exit code %d, %s is missing:\n%s", r.code, b.Name, r.stdout)
		}
	}
}
