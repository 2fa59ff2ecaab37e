package pattern

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// randomGlob makes a small glob with all that globs can contain.
func randomGlob(r *rand.Rand, depth int) string {
	var glob strings.Builder
	for range 1 + r.IntN(5) {
		switch n := r.IntN(15); {
		case n < 4:
			glob.WriteString([]string{"a", "b", "ab", "ä"}[n])
		case n < 7:
			glob.WriteByte('/')
		case n == 7:
			glob.WriteByte('?')
		case n == 8:
			glob.WriteString([]string{"[ab]", "[^/b]", "[!a/]", "[a-b]", `[\a]`, "[,b]", "[b-]", "[}a]"}[r.IntN(8)])
		case n == 9:
			glob.WriteString([]string{`\*`, `\{`, `\a`, ","}[r.IntN(4)])
		case n == 10:
			glob.WriteByte('*')
		case n == 11:
			glob.WriteString([]string{"**/", "/**", "/**/"}[r.IntN(3)])
		case depth > 0:
			var alternatives []string
			for range 1 + r.IntN(3) {
				if r.IntN(6) == 0 {
					alternatives = append(alternatives, "")
				} else {
					alternatives = append(alternatives, randomGlob(r, depth-1))
				}
			}
			glob.WriteString("{" + strings.Join(alternatives, ",") + "}")
		}
	}
	return glob.String()
}

// writtenOut returns all globs without braces that a glob expands to.
func writtenOut(glob string) []string {
	at := nextBrace(glob, 0)
	if at < 0 {
		return []string{glob}
	}
	end, alternatives := group(glob, at)
	var globs []string
	for _, a := range alternatives {
		globs = append(globs, writtenOut(glob[:at]+a+glob[end+1:])...)
	}
	return globs
}

// Globs mean what they meant when package doublestar matched them, which may miss that an
// alternative is empty at the end of a name: there the globs without braces count.
func TestGlobsMeanWhatTheyMeant(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var names []string
	for range 150 {
		var name strings.Builder
		for range r.IntN(7) {
			name.WriteString([]string{"a", "b", "ä", "/", "/", "*", "{", ",", "}", "-"}[r.IntN(10)])
		}
		if text := name.String(); text != "" && !strings.HasSuffix(text, "/") { // no such keys are listed
			names = append(names, text)
		}
	}
	names = append(names, "a/b/a", "a/b", "ab", "b/ab/a", "a", "b", "\xff", "a\xffb")
	compared, matched := 0, 0
	for range 6000 {
		glob := randomGlob(r, 2)
		if !doublestar.ValidatePattern(glob) {
			if _, err := Compile(glob); err == nil {
				t.Errorf("%q is malformed, and compiled", glob)
			}
			continue
		}
		globs := writtenOut(glob)
		if all := strings.Join(globs, "\n") + "\n"; strings.Contains(all, "***") || strings.Contains(all, "**/\n") || strings.Contains(all, "*/**") {
			continue // doublestar differs about when these are empty
		}
		p, err := Compile(glob)
		if err != nil {
			t.Fatalf("%q: %v", glob, err)
		}
		for _, name := range names {
			got, old, want := p.Match(name), doublestar.MatchUnvalidated(glob, name), false
			for _, g := range globs {
				want = want || doublestar.MatchUnvalidated(g, name)
			}
			if got != want || old && !got {
				t.Fatalf("%q matches %q: %v, want %v; doublestar: %v; %v", glob, name, got, want, old, p.linear)
			}
			compared++
			if got {
				matched++
			}
		}
	}
	if matched < compared/200 {
		t.Errorf("of %d comparisons only %d match", compared, matched)
	}
}

func TestGlobsAreLinear(t *testing.T) {
	t.Attr("timing", "matching must be quick")
	begun := time.Now()
	for _, glob := range []string{
		strings.Repeat("{a,aa}", 27) + "b", strings.Repeat("{a,aa}", 150) + "b", strings.Repeat("{a,a?,aa}", 100),
		strings.Repeat("{a,", 300) + strings.Repeat("}", 300), strings.Repeat("*a", 500), strings.Repeat("**/", 300) + "b",
		"{2020,2021,2022,2023,2024}/{01,02,03,04,05,06,07,08,09,10,11,12}/{01,02,03,04,05,06,07,08,09,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31}/*",
	} {
		p, err := Compile(glob)
		if err != nil {
			continue // it is too long, which is a valid answer
		}
		for range 20 {
			p.Match(strings.Repeat("a", 1000))
			p.Match(strings.Repeat("a/", 500))
		}
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("matching took %v", took)
	}
	if p, err := Compile("{2023,2024}/{01,02}/**"); err != nil || !p.Match("2024/02/x/y") || p.Match("2024/03/x") {
		t.Errorf("dates: %v", err)
	}
	for _, glob := range []string{strings.Repeat("a", MaxLength+1), strings.Repeat("{*,a/}", 100)} {
		if _, err := Compile(glob); err == nil || !strings.Contains(err.Error(), "at most") && !strings.Contains(err.Error(), "too many") {
			t.Errorf("%.20s…: %v", glob, err)
		}
	}
}
