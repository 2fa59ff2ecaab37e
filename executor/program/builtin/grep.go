package builtin

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

var grepBuiltin = builtin{
	info: program.Info{
		Name:    "grep",
		Summary: "lines that match a pattern, sorted; keeps duplicates",
		Params: []program.Param{
			{Name: "pattern", Summary: "regular expression (RE2); required"},
			{Name: "fixed", Default: "false", Summary: "the pattern is plain text, not an expression"},
			{Name: "ignore-case", Default: "false", Summary: "upper and lower case match each other"},
			{Name: "invert", Default: "false", Summary: "print the lines that do not match"},
		},
	},
	open: func(p *program.Params) (program.Program, error) {
		pattern := p.Required("pattern", "a regular expression")
		m, err := newMatcher(pattern, p.Flag("fixed"), p.Flag("ignore-case"))
		if err != nil {
			return nil, err
		}
		invert := p.Flag("invert")
		return &builtinProgram{
			traits: program.Traits{KeyOnly: true, Identity: true},
			mapper: func(p inProcess, _ program.Attempt) program.Mapper {
				mapper := &grepMapper{inProcess: p, matcher: m, invert: invert}
				if len(m.literal) > 0 && !invert {
					mapper.finder = newFinder(m.literal)
				}
				return mapper
			},
			reducer: newCopyReducer,
		}, nil
	},
}

// matcher decides whether a line matches.
type matcher struct {
	// literal is in every line that matches; empty if no such text is known.
	literal []byte
	// expression must also match a line; nil if the literal is enough.
	expression *regexp.Regexp
}

func newMatcher(pattern string, fixed, ignoreCase bool) (*matcher, error) {
	if fixed && !ignoreCase {
		if strings.Contains(pattern, "\n") {
			return nil, fmt.Errorf("grep: parameter pattern=%q: no line contains a line end", pattern)
		}
		return &matcher{literal: []byte(pattern)}, nil
	}
	if fixed {
		pattern = regexp.QuoteMeta(pattern)
	}
	if ignoreCase {
		pattern = "(?i)" + pattern
	}
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("grep: parameter pattern: %w", err)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("grep: parameter pattern: %w", err)
	}
	m := &matcher{expression: expression}
	parsed = parsed.Simplify()
	if literal := requiredLiteral(parsed); !strings.ContainsAny(literal, "\r\n") {
		m.literal = []byte(literal)
		if parsed.Op == syntax.OpLiteral && literal != "" {
			m.expression = nil
		}
	}
	return m, nil
}

// requiredLiteral returns the longest text that it finds to be in every match of re.
func requiredLiteral(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		// U+FFFD also matches a byte that is not UTF-8.
		if re.Flags&syntax.FoldCase == 0 && !strings.ContainsRune(string(re.Rune), utf8.RuneError) {
			return string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredLiteral(re.Sub[0])
	case syntax.OpConcat:
		longest := ""
		for _, sub := range re.Sub {
			if s := requiredLiteral(sub); len(s) > len(longest) {
				longest = s
			}
		}
		return longest
	}
	return ""
}

func (m *matcher) match(line []byte) bool {
	if m.literal != nil && !bytes.Contains(line, m.literal) {
		return false
	}
	return m.expression == nil || m.expression.Match(line)
}

type grepMapper struct {
	inProcess
	matcher *matcher
	finder  *finder // finds the literal; nil if lines must be matched one by one
	invert  bool
}

func (m *grepMapper) Map(b *record.Batch, out *record.Emitter) error {
	if b.Framing == record.Lines && m.finder != nil {
		m.search(b.Data, out)
		return m.done(out)
	}
	for _, record := range b.Records() {
		if m.matcher.match(record) != m.invert {
			out.Emit(record, nil)
		}
	}
	return m.done(out)
}

// search searches for the literal in all lines at once, and matches only the lines that contain it.
func (m *grepMapper) search(lines []byte, out *record.Emitter) {
	for len(lines) > 0 {
		at := m.finder.index(lines)
		if at < 0 {
			return
		}
		begin, end, next := lineAround(lines, at)
		// The literal may have been found in the line's end, so the line itself must match, too.
		if line := lines[begin:end]; m.matcher.match(line) {
			out.Emit(line, nil)
		}
		lines = lines[next:]
	}
}

// lineAround returns the line of text, without its end, around the position at, and where the next
// line begins.
func lineAround(text []byte, at int) (begin, end, next int) {
	begin = bytes.LastIndexByte(text[:at], '\n') + 1
	end, next = len(text), len(text)
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		end, next = at+i, at+i+1
		if end > begin && text[end-1] == '\r' {
			end--
		}
	}
	return begin, end, next
}
