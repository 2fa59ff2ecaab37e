package builtin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

func TestGrep(t *testing.T) {
	text := programtest.OddText + "\r\nxthex\nthe\rthe\r\n\nTHE end\nab\r\nab"
	for _, pattern := range []string{
		"the", "^the$", "t.e", "^$", "e$", "b$", `\bfox\b`, "brown|vert", "(long)+", "(?i)THE", `[^a]`, "caf.", "\r", "no such", "é", `qu(ick)  br`,
	} {
		for _, ignore := range []bool{false, true} {
			for _, invert := range []bool{false, true} {
				expression := pattern
				if ignore {
					expression = "(?i)" + pattern
				}
				re := regexp.MustCompile(expression)
				var want []string
				for _, line := range programtest.RecordsOf(text) {
					if re.MatchString(line) != invert {
						want = append(want, line)
					}
				}
				slices.Sort(want)
				p := open(t, "grep", "pattern", pattern, "ignore-case", fmt.Sprint(ignore), "invert", fmt.Sprint(invert))
				for _, size := range oddSizes {
					if got := programtest.Run(t, p, programtest.Lines("f", text, size)); !slices.Equal(got, want) {
						t.Errorf("%q, ignore case %v, invert %v, batches of %d: want %.300q, have %.300q",
							pattern, ignore, invert, size, want, got)
					}
				}
			}
		}
	}
}

func TestGrepFixed(t *testing.T) {
	text := "a.b\naxb\nA.B\nx\xff\r\nlast\xff"
	for _, c := range []struct {
		pattern, ignore string
		want            []string
	}{
		{"a.b", "false", []string{"a.b"}},
		{"a.b", "true", []string{"A.B", "a.b"}},
		{"\xff", "false", []string{"last\xff", "x\xff"}},
		{"x\xff\r", "false", nil},
	} {
		got := programtest.Run(t, open(t, "grep", "pattern", c.pattern, "fixed", "true", "ignore-case", c.ignore), programtest.Lines("f", text, 99))
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: want %q, have %q", c.pattern, c.want, got)
		}
	}
}

func TestGrepSaysWhatIsWrongWithAPattern(t *testing.T) {
	for _, params := range []map[string]string{
		{}, {"pattern": "("}, {"pattern": "a\nb", "fixed": "true"}, {"pattern": "a", "invert": "maybe"},
	} {
		_, err := table.Open(program.Config{}, program.Spec{Kind: "builtin", Name: "grep", Params: params}, "")
		if err == nil || !strings.Contains(err.Error(), "parameter ") {
			t.Errorf("%q: %v", params, err)
		}
	}
}

func TestRequiredLiteralIsInEveryMatch(t *testing.T) {
	for pattern, want := range map[string]string{
		"abc": "abc", "ab+c": "a", "x(abc)y|z": "", "ab(cde)+f": "cde", "(?i)abc": "", "ab?cd": "cd", "a{2,3}bcd": "bcd", "\uFFFD": "",
	} {
		m, err := newMatcher(pattern, false, false)
		if err != nil || string(m.literal) != want {
			t.Errorf("%q: want %q, have %q, %v", pattern, want, m.literal, err)
		}
	}
}
