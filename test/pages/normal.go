package pages

import (
	"regexp"
	"slices"
	"strings"
)

// anyLines is the line of a page that matches any number of lines, including none.
const anyLines = "…"

// varying are the texts that differ from run to run, and their replacements for the comparison.
var varying = []struct {
	form  *regexp.Regexp
	stand string
}{
	{regexp.MustCompile(`\b[0-9a-hjkmnp-tv-z]{26}\b`), "JOB"},
	{regexp.MustCompile(`\b\d[\d.]* ([KMG]i)?B/s`), "RATE"},
	{regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?(µs|ms|s)\b`), "TIME"},
}

// Normal returns a line with JOB, RATE and TIME in place of job ids, bytes per second, and lengths
// of time. In a changed line every gap becomes one blank.
func Normal(line string) string {
	original := line
	for _, v := range varying {
		line = v.form.ReplaceAllLiteralString(line, v.stand)
	}
	if line != original { // the width of a table's columns depends on their content
		line = blanks.ReplaceAllLiteralString(line, "  ")
	}
	return line
}

var blanks = regexp.MustCompile(`  +`)

// Same reports whether got is the output that a page wants.
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

// cut returns the lines before and after the first line that matches any.
func cut(lines []string) (before, after []string, found bool) {
	i := slices.Index(lines, anyLines)
	if i < 0 {
		return lines, nil, false
	}
	return lines[:i], lines[i+1:], true
}

// transient matches the beginnings of lines that are not compared: the progress of a job without a
// terminal, and the downloads of Go on a machine that has never built the project.
var transient = regexp.MustCompile(`^( +\d+\.\ds  [a-z]|go: downloading )`)

// settled returns the lines of output that are compared.
func settled(output string) []string {
	output = strings.TrimSuffix(output, "\n")
	if output == "" {
		return nil
	}
	return slices.DeleteFunc(strings.Split(output, "\n"), transient.MatchString)
}
