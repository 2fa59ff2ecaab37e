package main

import (
	"strings"
	"testing"
)

// events of one package: a test with a given end, between two that pass.
func events(end string) string {
	return `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"a says\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"b says\n"}
` + end + `{"Action":"output","Package":"p","Output":"the end of p\n"}
`
}

func TestReport(t *testing.T) {
	for name, test := range map[string]struct {
		events  string
		verbose bool
		output  string
		verdict string // empty for success
	}{
		"passed": {
			events: events(`{"Action":"pass","Package":"p","Test":"TestB"}` + "\n"),
			output: "the end of p\ntests: 2 passed, 0 failed, 0 skipped\n",
		},
		"passed, verbose": {
			events:  events(`{"Action":"pass","Package":"p","Test":"TestB"}` + "\n"),
			verbose: true,
			output:  "a says\nb says\nthe end of p\ntests: 2 passed, 0 failed, 0 skipped\n",
		},
		"skipped": {
			events:  events(`{"Action":"skip","Package":"p","Test":"TestB"}` + "\n"),
			output:  "b says\nthe end of p\nSKIPPED p TestB\ntests: 1 passed, 0 failed, 1 skipped\n",
			verdict: "skipped",
		},
		"failed": {
			events:  events(`{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"),
			output:  "b says\nthe end of p\ntests: 1 passed, 1 failed, 0 skipped\n",
			verdict: "failed",
		},
		"died": {
			events:  events("") + `{"Action":"fail","Package":"p"}` + "\n",
			output:  "the end of p\nb says\ntests: 1 passed, 1 failed, 0 skipped\n",
			verdict: "failed",
		},
		"did not build": {
			events: `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: wrong\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`,
			output:  "p.go:1: wrong\ntests: 0 passed, 1 failed, 0 skipped\n",
			verdict: "failed",
		},
		"a package without tests": {
			events:  `{"Action":"skip","Package":"p"}` + "\n",
			output:  "tests: 0 passed, 0 failed, 0 skipped\n",
			verdict: "no tests",
		},
		"not JSON": {events: "go: no such module\n", verdict: "read test events"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := report{out: &out, verbose: test.verbose, output: map[testID][]string{}}
			err := r.read(strings.NewReader(test.events))
			if err == nil {
				err = r.verdict()
			}
			if out.String() != test.output {
				t.Errorf("output %q, want %q", out.String(), test.output)
			}
			if test.verdict == "" && err != nil || test.verdict != "" && (err == nil || !strings.Contains(err.Error(), test.verdict)) {
				t.Errorf("verdict %v, want %q", err, test.verdict)
			}
		})
	}
}
