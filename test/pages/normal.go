package pages

import (
	"regexp"
	"slices"
	"strings"
)

// anyLines is the line of a page that stands for any lines, also for none.
const anyLines = "…"

// varying is what differs from run to run, and what stands in its place when it is compared.
var varying = []struct {
	form  *regexp.Regexp
	stand string
}{
	{regexp.MustCompile(`\b[0-9a-hjkmnp-tv-z]{26}\b`), "JOB"},
	{regexp.MustCompile(`\b\d[\d.]* ([KMG]i)?B/s`), "RATE"},
	{regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?(µs|ms|s)\b`), "TIME"},
}

// Normal is a line with JOB, RATE and TIME in place of ids of jobs, bytes per second, and
// lengths of time. In such a line it is of no account how wide a gap is.
func Normal(line string) string {
	original := line
	for _, v := range varying {
		line = v.form.ReplaceAllLiteralString(line, v.stand)
	}
	if line != original { // a table's columns are as wide as what stands in them
		line = blanks.ReplaceAllLiteralString(line, "  ")
	}
	return line
}

var blanks = regexp.MustCompile(`  +`)

// Same tells whether got is what a page wants.
func Same(want, got []string) bool {
	before, after, some := cut(want)
	if !some {
		return slices.EqualFunc(want, got, func(a, b string) bool { return Normal(a) == Normal(b) })
	}
	if len(got) < len(before) || !Same(before, got[:len(before)]) {
		return false
	}
	for rest := got[len(before):]; ; rest = rest[1:] {
		if Same(after, rest) {
			return true
		}
		if len(rest) == 0 {
			return false
		}
	}
}

// cut returns the lines around the first that stands for any.
func cut(lines []string) (before, after []string, found bool) {
	i := slices.Index(lines, anyLines)
	if i < 0 {
		return lines, nil, false
	}
	return lines[:i], lines[i+1:], true
}

// transient is what a line begins with that is not compared: a job's progress, where there is
// no terminal to draw bars on, and what Go fetches on a machine that has never built this.
var transient = regexp.MustCompile(`^( +\d+\.\ds  [a-z]|go: downloading )`)

// settled returns the lines of output that are compared.
func settled(output string) []string {
	output = strings.TrimSuffix(output, "\n")
	if output == "" {
		return nil
	}
	return slices.DeleteFunc(strings.Split(output, "\n"), transient.MatchString)
}
