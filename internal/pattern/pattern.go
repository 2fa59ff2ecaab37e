// Package pattern matches names with globs from untrusted users, in time that grows at most with
// the product of both lengths.
//
// The syntax is that of package doublestar: * ? [a-z] {a,b}, ** across folders, and \ before one of
// them that stands for itself. That package tries all combinations of alternatives in turn, and
// there may be exponentially many. So globs with braces are translated to a regular expression,
// which package regexp matches in linear time; doublestar matches the others.
package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

const (
	// MaxLength is the maximum length of a pattern in bytes.
	MaxLength = 1 << 10
	// maxExpanded is the maximum length of a pattern, in bytes, once alternatives with slashes or
	// stars are expanded.
	maxExpanded = 64 << 10
)

// Pattern is a glob. It is safe for concurrent use.
type Pattern struct {
	glob   string
	linear *regexp.Regexp // nil: the glob has no braces
}

var errMalformed = errors.New("the glob is malformed")

// Compile parses a glob. It fails if the glob is malformed or too long.
func Compile(glob string) (*Pattern, error) {
	if len(glob) > MaxLength {
		return nil, fmt.Errorf("the glob has %d bytes; at most %d are allowed", len(glob), MaxLength)
	}
	if !doublestar.ValidatePattern(glob) {
		return nil, errMalformed
	}
	p := &Pattern{glob: glob}
	if nextBrace(glob, 0) < 0 {
		return p, nil
	}
	// Whether ** crosses folders depends on the characters beside it. So alternatives that may be
	// beside a star are expanded to several globs, and the others become alternatives of the
	// regular expression.
	globs, err := expand(glob)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for i, g := range globs {
		if i > 0 {
			text.WriteByte('|')
		}
		translate(&text, g)
	}
	if p.linear, err = regexp.Compile(`^(?s:` + text.String() + `)$`); err != nil {
		return nil, errMalformed
	}
	return p, nil
}

// Match reports whether the glob matches a whole name.
func (p *Pattern) Match(name string) bool {
	if p.linear != nil {
		return p.linear.MatchString(name)
	}
	return doublestar.MatchUnvalidated(p.glob, name)
}

// expand replaces the groups of alternatives that are not plain: the pattern becomes several.
func expand(glob string) (globs []string, err error) {
	bytes := 0
	var write func(glob string, from int) error
	write = func(glob string, from int) error {
		for {
			at := nextBrace(glob, from)
			if at < 0 {
				break
			}
			end, alternatives := group(glob, at)
			if plain(glob, at, end, alternatives) {
				from = end + 1
				continue
			}
			for _, a := range alternatives {
				if err := write(glob[:at]+a+glob[end+1:], at); err != nil {
					return err
				}
			}
			return nil
		}
		if bytes += len(glob) + 1; bytes > maxExpanded {
			return fmt.Errorf("the glob has too many combinations of alternatives with * or / in them: expanded they would have more than %d bytes", maxExpanded)
		}
		globs = append(globs, glob)
		return nil
	}
	err = write(glob, 0)
	return globs, err
}

// plain reports whether a group can't change the meaning of the characters around it.
func plain(glob string, at, end int, alternatives []string) bool {
	besideStar := at > 0 && glob[at-1] == '*' || end+1 < len(glob) && glob[end+1] == '*'
	for _, a := range alternatives {
		if strings.ContainsAny(a, `*/{`) || a == "" && (besideStar || end+1 == len(glob) || glob[end+1] == '/' || glob[end+1] == '{') {
			return false
		}
	}
	return true
}

// nextBrace is the index of the next { that begins a group, at or after from, or -1.
func nextBrace(glob string, from int) int {
	for i := from; i < len(glob); i++ {
		switch glob[i] {
		case '\\':
			i++
		case '[':
			i = classEnd(glob, i)
		case '{':
			return i
		}
	}
	return -1
}

// classEnd is the index of the ] of the class that begins at an index. The glob is valid, so there
// is one.
func classEnd(glob string, at int) int {
	i := at + 1
	if glob[i] == '^' || glob[i] == '!' {
		i++
	}
	for ; i < len(glob); i++ {
		switch glob[i] {
		case '\\':
			i++
		case ']':
			return i
		}
	}
	return len(glob)
}

// group returns the index of the } of the group that begins at an index, and the alternatives.
func group(glob string, at int) (end int, alternatives []string) {
	begin, depth := at+1, 1
	for i := begin; i < len(glob); i++ {
		switch glob[i] {
		case '\\':
			i++
		case '[':
			i = classEnd(glob, i)
		case '{':
			depth++
		case ',':
			if depth == 1 {
				alternatives = append(alternatives, glob[begin:i])
				begin = i + 1
			}
		case '}':
			if depth--; depth == 0 {
				return i, append(alternatives, glob[begin:i])
			}
		}
	}
	return len(glob), alternatives
}

// translate writes a glob with only plain groups as a regular expression in which a dot matches
// every character.
func translate(to *strings.Builder, glob string) {
	start := true // of an element of the path
	for i := 0; i < len(glob); {
		rest := glob[i:]
		switch {
		case rest == "/**": // a folder is below itself
			to.WriteString(`(?:/.*)?`)
			return
		case rest == "/**/":
			to.WriteString(`(?:/(?:.*/)?)?`)
			return
		case start && rest == "**":
			to.WriteString(`.*`)
			return
		case start && strings.HasPrefix(rest, "**/"):
			to.WriteString(`(?:.*/)?`)
			i += len("**/")
		case strings.HasPrefix(rest, "*"):
			to.WriteString(`[^/]*`)
			i++
			if strings.HasPrefix(rest, "**") {
				i++
			}
			start = false
		case rest[0] == '?':
			to.WriteString(`[^/]`)
			i++
			start = false
		case rest[0] == '[':
			end := classEnd(glob, i)
			class(to, glob[i+1:end])
			i = end + 1
			start = false
		case rest[0] == '{':
			end, alternatives := group(glob, i)
			to.WriteString(`(?:`)
			for n, a := range alternatives {
				if n > 0 {
					to.WriteByte('|')
				}
				translate(to, a)
			}
			to.WriteByte(')')
			i = end + 1
			start = false
		default:
			if rest[0] == '\\' {
				i++
			}
			r, size := firstRune(glob[i:])
			to.WriteString(regexp.QuoteMeta(string(r)))
			i += size
			start = r == '/'
		}
	}
}

// firstRune is the first character of a text. A byte that is not UTF-8 is U+FFFD, as in names that
// are matched.
func firstRune(text string) (r rune, size int) {
	for i, next := range text {
		if i > 0 {
			return r, i
		}
		r = next
	}
	return r, len(text)
}

// class writes the text between [ and ].
func class(to *strings.Builder, text string) {
	negated := text[0] == '^' || text[0] == '!'
	if negated {
		text = text[1:]
	}
	var ranges []string
	add := func(low, high rune) {
		if low <= high { // otherwise the range matches nothing
			ranges = append(ranges, fmt.Sprintf(`\x{%x}-\x{%x}`, low, high))
		}
	}
	const none = -1
	last := rune(none)
	for text != "" {
		r, size := firstRune(text)
		text = text[size:]
		if last != none && r == '-' && text != "" {
			if text[0] == '\\' {
				text = text[1:]
			}
			high, size := firstRune(text)
			text = text[size:]
			add(last, high)
			last = none
			continue
		}
		if r == '\\' {
			r, size = firstRune(text)
			text = text[size:]
		}
		add(r, r)
		last = r
	}
	switch {
	case len(ranges) == 0 && negated:
		to.WriteByte('.')
	case len(ranges) == 0:
		to.WriteString(`[^\x{0}-\x{10ffff}]`)
	case negated:
		to.WriteString(`[^` + strings.Join(slices.Compact(ranges), "") + `]`)
	default:
		to.WriteString(`[` + strings.Join(slices.Compact(ranges), "") + `]`)
	}
}
