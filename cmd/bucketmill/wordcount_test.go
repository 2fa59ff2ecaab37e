package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// oddFiles contains ordinary text, and text that breaks a naive reader.
func oddFiles(t testing.TB) map[string]string {
	return map[string]string{
		"books/plain.txt":           sampleText(t, 300<<10, 1),
		"books/with space é.txt":    "the name has a space\n",
		"books/empty.txt":           "",
		"books/crlf.txt":            "one two\r\ntwo three\r\n\r\nthree",
		"books/no final newline":    "alpha beta\nalpha",
		"books/newlines.txt":        "\n\n\n\n",
		"books/blanks.txt":          " \t\v\f\r \n  x \t y\vz\fx\n",
		"books/binary.bin":          "a\x00b \xff\xfe \xff\xfe caf\xe9 caf\xc3\xa9 \xc3\n\x80 \x80 a\x00b",
		"books/unicode spaces.txt":  "a\u00a0b a\u2003b a\u0085b\n",
		"books/long line.txt":       strings.Repeat("long ", 40<<10) + strings.Repeat("w", 100<<10),
		"books/deep/er/nested.text": "alpha nested\n",
	}
}

// countWords counts like LC_ALL=C tr '[:space:]' '\n' | grep . | sort | uniq -c. It returns lines
// of word, tab, count, sorted.
func countWords(files map[string]string) []string {
	counts := map[string]int{}
	for _, text := range files {
		isSpace := func(c byte) bool { return bytes.IndexByte([]byte(" \t\n\v\f\r"), c) >= 0 }
		for begin := 0; begin < len(text); {
			end := begin
			for end < len(text) && !isSpace(text[end]) {
				end++
			}
			if end > begin {
				counts[text[begin:end]]++
			}
			begin = end + 1
		}
	}
	var lines []string
	for word, n := range counts {
		lines = append(lines, fmt.Sprintf("%s\t%d", word, n))
	}
	slices.Sort(lines)
	return lines
}

func TestWordCountIsTheSameHoweverItIsCut(t *testing.T) {
	t.Parallel()
	files := oddFiles(t)
	input := writeFiles(t, files)
	want := countWords(files)
	first := map[int][]part{} // by number of reducers: outputs must be equal
	for _, run := range []struct {
		split     []string
		reducers  int
		executors int
	}{
		{nil, 1, 1},
		{[]string{"--split-size", "64KiB"}, 1, 4},
		{[]string{"--split-size", "30011"}, 1, 2},
		{[]string{"--split-size", "1GiB"}, 3, 4},
		{[]string{"--split-size", "64KiB"}, 3, 1},
		{[]string{"--maps", "7"}, 3, 4},
		{[]string{"--maps", "1"}, 32, 1},
		{[]string{"--split-size", "64KiB"}, 32, 4},
	} {
		name := fmt.Sprintf("%s, %d reducers, %d executors", strings.Join(run.split, " "), run.reducers, run.executors)
		t.Run(name, func(t *testing.T) {
			args := append([]string{
				"wordcount", "--input", input + "/", "--reducers", fmt.Sprint(run.reducers),
				"--executors", fmt.Sprint(run.executors),
			}, run.split...)
			parts := mustRun(t, filepath.Join(t.TempDir(), "out"), args...)
			if len(parts) != run.reducers {
				t.Errorf("%d parts", len(parts))
			}
			checkSorted(t, parts)
			sameLines(t, joined(parts), want)
			if first[run.reducers] == nil {
				first[run.reducers] = parts
			}
			for i, p := range first[run.reducers] {
				if !bytes.Equal(parts[i].data, p.data) {
					t.Errorf("%s differs from the same part of another run", p.name)
				}
			}
		})
	}
}

func TestWordCountOfSingleBytes(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a.txt": "to be\r\nor not to be\n\n", "b.txt": "\xc3\xa9t\xc3\xa9 be"}
	input := writeFiles(t, files)
	parts := mustRun(t, filepath.Join(t.TempDir(), "out"), "wordcount", "-i", input, "--split-size", "1", "-r", "2")
	sameLines(t, joined(parts), countWords(files))
}

// A job without reducers writes what each map task emits, in the order of the input.
func TestMapOnly(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf("line %d%s", i, strings.Repeat("x", i%50)))
	}
	input := writeFiles(t, map[string]string{"in.txt": strings.Join(lines, "\n")})
	for _, maps := range []int{1, 4, 9} {
		parts := mustRun(t, filepath.Join(t.TempDir(), "out"),
			"sort", "-i", input, "-r", "0", "--maps", fmt.Sprint(maps), "--executors", "4")
		if len(parts) != maps {
			t.Errorf("%d parts of %d map tasks", len(parts), maps)
		}
		var got []string
		for _, p := range parts {
			got = append(got, p.lines()...)
		}
		sameLines(t, got, lines)
	}
}
