package pages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	maxColumns  = 120 // of the prose of a page
	maxComment  = 100 // of a line of Go that is only a comment
	columnsATab = 4
)

// TestWidth checks that prose is wrapped. Tables, code and long links can't be.
func TestWidth(t *testing.T) {
	t.Parallel()
	for _, page := range listed(t, "*.md") {
		text, err := os.ReadFile(filepath.Join(repository, page))
		if err != nil {
			t.Fatal(err)
		}
		fenced := false
		for i, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				fenced = !fenced
			}
			table := strings.HasPrefix(line, "|")
			unbroken := strings.Contains(line, "://") || strings.HasPrefix(line, "`")
			if n := utf8.RuneCountInString(line); n > maxColumns && !fenced && !table && !unbroken {
				t.Errorf("%s:%d has %d columns, want at most %d", page, i+1, n, maxColumns)
			}
		}
	}
}

// TestCommentWidth checks that comments are wrapped. Lists, drawings and links can't always be.
func TestCommentWidth(t *testing.T) {
	t.Parallel()
	for _, file := range listed(t, "*.go") {
		text, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			comment, ok := strings.CutPrefix(strings.TrimLeft(line, "\t"), "// ")
			if !ok || strings.HasPrefix(comment, " ") || strings.HasPrefix(comment, "\t") || strings.Contains(line, "://") {
				continue
			}
			n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", strings.Repeat(" ", columnsATab)))
			if n > maxComment {
				t.Errorf("%s:%d has %d columns, want at most %d", file, i+1, n, maxComment)
			}
		}
	}
}
