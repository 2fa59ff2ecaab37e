package kinds

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/executor/program/python"
	"github.com/bucketmill/bucketmill/internal/record"
)

// TestExamples compares the examples in Python with the builtins that compute the same.
func TestExamples(t *testing.T) {
	for _, c := range []struct {
		file, builtin, format string
		batches               []record.Batch
	}{
		{"word_count.py", "wordcount", "text", programtest.Lines("f", "a b a\nc\n", 3)},
		{"access_log.py", "accesslog", "text", programtest.Lines("f", accessLog, 100)},
		{"user_activity.py", "activity", "csv", withHeader("1,0.10,ann,2026-11-21T15:04:05Z,buy\n2,0.20,ann,2026-11-22T15:04:05Z,\"a,b\"\n", 3)},
	} {
		path := filepath.Join("..", "..", "..", "examples", c.file)
		spec := program.Spec{Kind: "python", Name: c.file}
		if err := table.Check(t.Context(), programtest.Ready(t, &python.Kind), spec, path); err != nil {
			t.Fatal(err)
		}
		p, err := table.Open(programtest.Ready(t, &python.Kind), spec, path)
		if err != nil {
			t.Fatal(err)
		}
		a := programtest.Attempt(t)
		a.Format = c.format
		records, err := programtest.MapAll(t, p, a, c.batches)
		if err != nil {
			t.Fatal(err)
		}
		output, err := programtest.ReduceAll(t, p, programtest.Attempt(t), records, 3)
		if got, want := programtest.Text(p, output), programtest.Run(t, openNamed(t, "builtin", c.builtin), c.batches); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: want %q, have %q, %v", c.file, want, got, err)
		}
	}
}

// accessLog has lines of a web server's log in the Common and Combined formats.
const accessLog = `10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1" 200 1234
10.0.0.1 - bob smith [21/Nov/2026:15:04:05 +0000] "GET /\"x\" 500 \\" 404 -
2001:db8::1 - - [21/Nov/2026:15:04:05 +0000] "GET /?a=] \"b HTTP/1.1" 302 0 "http://ref \"er\"" "Mozilla/5.0 (X11)"

10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "-" 408 0 "-" "-"
nonsense
10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1" 2x0 12
10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1" 200
10.0.0.1 - - [21/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1`

// withHeader cuts rows of CSV into batches that have a header.
func withHeader(text string, size int) []record.Batch {
	batches := programtest.Lines("f", text, size)
	for i := range batches {
		batches[i].Header = []byte(`id,"amount",user,timestamp,action`)
	}
	return batches
}

// openNamed opens a program that needs no file.
func openNamed(t *testing.T, kind, name string) program.Program {
	t.Helper()
	p, err := table.Open(program.Config{}, program.Spec{Kind: kind, Name: name}, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var table = All()
