package pages

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every link from a page to a file of the project leads to an existing file and heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, path := range listed(t, "*.md") {
		page := filepath.Join(repository, path)
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			target, heading, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") || target == "" {
				continue
			}
			checked++
			file := filepath.Join(filepath.Dir(page), target)
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which is not there", path, target)
				continue
			}
			if heading != "" && !hasHeading(t, file, heading) {
				t.Errorf("%s links to %s, which has no such heading", path, found[1])
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}

// notInAnchors matches the characters of a heading that GitHub leaves out of its anchor.
var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

func hasHeading(t *testing.T, file, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			if strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(title), ""), " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}
