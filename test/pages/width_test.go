package pages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is how wide the prose of a page may be.
const maxColumns = 120

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
