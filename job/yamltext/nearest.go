package yamltext

import (
	"fmt"
	"reflect"
	"strings"
)

// Nearest returns the name that differs least from arg, if it is likely to be meant; else "". Among
// names that differ equally it prefers one of arg's length.
func Nearest(arg string, names []string) string {
	best, least := "", len(arg)/3+2
	for _, name := range names {
		d := distance(strings.ToLower(arg), name)
		if d < least || d == least && best != "" && len(name) == len(arg) && len(best) != len(arg) {
			best, least = name, d
		}
	}
	return best
}

// distance returns the least number of bytes to insert, delete or change to turn a into b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// Unknown returns the error for a name that is not a field of a struct, with the field that may be
// meant. At is the name of the enclosing field and a dot, or empty.
func Unknown(t reflect.Type, at, name string) error {
	hint := ""
	if near := Nearest(name[:min(len(name), 80)], members(t)); near != "" {
		hint = fmt.Sprintf(": did you mean %q?", at+near)
	}
	return fmt.Errorf("unknown field %.80q%s", at+name, hint)
}

// members returns the names of a struct's fields in JSON.
func members(t reflect.Type) (names []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && !f.Anonymous && tag != "-" && tag != "" {
			names = append(names, tag)
		}
	}
	return names
}
