package pages

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is how the project's import paths begin.
const module = "github.com/bucketmill/bucketmill/"

// TestPackages checks the table of packages in docs/architecture.md: it has a row for every folder
// with code, or for a folder above it, and each row lists the rows that its code imports.
func TestPackages(t *testing.T) {
	t.Parallel()
	rows := packageRows(t)
	imported := map[string]map[string]bool{}
	for _, path := range listed(t, "*.go") {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testdata/") {
			continue
		}
		row := rowOf(rows, filepath.Dir(path))
		if row == "" {
			t.Errorf("docs/architecture.md has no row for %s", path)
			continue
		}
		if imported[row] == nil {
			imported[row] = map[string]bool{}
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(repository, path), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if folder, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module); ours {
				if other := rowOf(rows, folder); other != row {
					imported[row][other] = true
				}
			}
		}
	}
	for row, want := range rows {
		if want == "everything" {
			continue
		}
		got := strings.Join(slices.Sorted(maps.Keys(imported[row])), ", ")
		if got == "" {
			got = "nothing"
		}
		if got != want {
			t.Errorf("docs/architecture.md says that %s imports %s; it imports %s", row, want, got)
		}
	}
}

// packageRows reads what each folder of the table imports: other folders in order, "nothing" or
// "everything".
func packageRows(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Packages\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|.*\\| ([^|]+) \\|$").FindAllStringSubmatch(section, -1) {
		rows[row[1]] = strings.ReplaceAll(row[2], "`", "")
	}
	if len(rows) < 10 {
		t.Fatalf("only %d rows were found", len(rows))
	}
	return rows
}

// rowOf returns the row for a folder: its own, or that of the nearest folder above it.
func rowOf(rows map[string]string, folder string) string {
	for ; folder != "."; folder = filepath.Dir(folder) {
		if _, ok := rows[folder]; ok {
			return folder
		}
	}
	return ""
}
