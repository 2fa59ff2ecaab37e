package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Every file of this tree contains its own path as its only word.
func inputTree(t *testing.T) string {
	files := map[string]string{}
	for _, name := range []string{
		"a.txt", "b.txt", "c.log", "d e.txt", ".hidden.txt", "_started.txt", "x/f.txt", "x/y/g.txt", "x/.git/h.txt",
		"_temporary/i.txt", "[z].txt",
	} {
		files[name] = strings.ReplaceAll(name, " ", "~") + "\n"
	}
	return writeFiles(t, files)
}

func TestInputsThatPeopleName(t *testing.T) {
	t.Parallel()
	folder := inputTree(t)
	for _, c := range []struct {
		name   string
		inputs []string // below the folder
		want   string   // the files that are read, sorted
	}{
		{"file", []string{"a.txt"}, "a.txt"},
		{"folder", []string{""}, "[z].txt a.txt b.txt c.log d~e.txt x/f.txt x/y/g.txt"},
		{"folder with a slash", []string{"x/"}, "x/f.txt x/y/g.txt"},
		{"star", []string{"*.txt"}, "[z].txt a.txt b.txt d~e.txt"},
		{"two stars", []string{"**/*.txt"}, "[z].txt a.txt b.txt d~e.txt x/f.txt x/y/g.txt"},
		{"braces", []string{"{a,c}.*"}, "a.txt c.log"},
		{"class", []string{"[ab].txt"}, "a.txt b.txt"},
		{"question mark", []string{"?.log"}, "c.log"},
		{"star for a folder", []string{"*/f.txt"}, "x/f.txt"},
		{"a hidden one by its name", []string{".hidden.txt"}, ".hidden.txt"},
		{"a hidden folder by its name", []string{"_temporary"}, "_temporary/i.txt"},
		{"overlapping", []string{"a.txt", "*.txt", "", "a.txt"}, "[z].txt a.txt b.txt c.log d~e.txt x/f.txt x/y/g.txt"},
		{"a name with brackets", []string{`\[z\].txt`}, "[z].txt"},
		{"a name with brackets as it is", []string{"[z].txt"}, "[z].txt"},
		{"star for files and folders", []string{"?*"}, "[z].txt a.txt b.txt c.log d~e.txt x/f.txt x/y/g.txt"},
		{"star for folders", []string{"*/"}, "x/f.txt x/y/g.txt"},
		{"a name with a space", []string{"d e.txt"}, "d~e.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"wordcount", "-r", "1"}
			for _, input := range c.inputs {
				args = append(args, "-i", folder+"/"+input)
			}
			var got []string
			for _, line := range joined(mustRun(t, filepath.Join(t.TempDir(), "out"), args...)) {
				word, count, _ := strings.Cut(line, "\t")
				if count != "1" {
					t.Errorf("%s was read %s times", word, count)
				}
				got = append(got, word)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("read %q, want %q", got, c.want)
			}
		})
	}
}
