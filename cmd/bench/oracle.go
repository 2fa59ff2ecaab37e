package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// readBuffer is the size in bytes of the oracles' buffer. No line is longer.
const readBuffer = 1 << 20

// eachLine calls visit with every line of r, without its end (\n or \r\n, as in the text format).
func eachLine(r io.Reader, visit func(line []byte) error) error {
	lines := bufio.NewReaderSize(r, readBuffer)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		if err := visit(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))); err != nil {
			return err
		}
	}
}

// eachLineOf is eachLine for several files, one after another.
func eachLineOf(files []string, visit func(line []byte) error) error {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(eachLine(f, visit), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// parts returns the files of an output, in order.
func parts(folder string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(folder, "_SUCCESS")); err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(folder, "part-*"))
	slices.Sort(found)
	return found, err
}

// wordCounts are the right counts of the words in a text.
type wordCounts map[string]int64

// countWords counts words, separated by blanks and line ends, in the simplest way.
func countWords(file string) (wordCounts, error) {
	words := map[string]*int64{}
	err := eachLineOf([]string{file}, func(line []byte) error {
		for _, word := range bytes.Fields(line) {
			n := words[string(word)]
			if n == nil {
				n = new(int64)
				words[string(word)] = n
			}
			*n++
		}
		return nil
	})
	counts := make(wordCounts, len(words))
	for word, n := range words {
		counts[word] = *n
	}
	return counts, err
}

// errWrong says that an output is wrong.
var errWrong = errors.New("WRONG OUTPUT")

// checker checks lines of a word and its count, in any order, with any blanks between and around
// the two.
type checker struct {
	want    wordCounts
	swapped bool // the count comes first
	seen    map[string]bool
}

func (want wordCounts) checker(swapped bool) *checker {
	return &checker{want: want, swapped: swapped, seen: make(map[string]bool, len(want))}
}

func (c *checker) check(line []byte) error {
	fields := bytes.Fields(line)
	if len(fields) != 2 {
		return fmt.Errorf("%w: %q is not a word and a count", errWrong, line)
	}
	word, count := string(fields[0]), string(fields[1])
	if c.swapped {
		word, count = count, word
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if want, ok := c.want[word]; err != nil || !ok || want != n || c.seen[word] {
		return fmt.Errorf("%w: %q, but %d is right (seen before: %t)", errWrong, line, want, c.seen[word])
	}
	c.seen[word] = true
	return nil
}

// end fails if a word is missing.
func (c *checker) end() error {
	if len(c.seen) != len(c.want) {
		return fmt.Errorf("%w: %d words of %d", errWrong, len(c.seen), len(c.want))
	}
	return nil
}

func (want wordCounts) checkFiles(files []string, swapped bool) error {
	c := want.checker(swapped)
	return cmp.Or(eachLineOf(files, c.check), c.end())
}

func (want wordCounts) checkOutput(folder string) error {
	files, err := parts(folder)
	if err != nil {
		return err
	}
	return want.checkFiles(files, false)
}

func (want wordCounts) checkReader(r io.Reader) error {
	c := want.checker(false)
	return cmp.Or(eachLine(r, c.check), c.end())
}

// lineSum is a sum of lines that does not depend on their order.
type lineSum struct {
	lines int64
	sum   uint64 // of their hashes
}

func (s *lineSum) add(line []byte) {
	s.lines++
	s.sum += xxhash.Sum64(line)
}

// sortedLines adds up lines, and checks that none is less than the line before.
type sortedLines struct {
	lineSum
	last []byte
}

func (s *sortedLines) check(line []byte) error {
	if s.lines > 0 && bytes.Compare(s.last, line) > 0 {
		return fmt.Errorf("%w: %q comes after %q", errWrong, line, s.last)
	}
	s.last = append(s.last[:0], line...)
	s.add(line)
	return nil
}

func sumLines(file string) (s lineSum, err error) {
	err = eachLineOf([]string{file}, func(line []byte) error { s.add(line); return nil })
	return s, err
}

// checkSorted checks that the files contain these lines, sorted throughout or only within each
// file.
func (want lineSum) checkSorted(files []string, throughout bool) error {
	var got lineSum
	var s sortedLines
	for _, file := range files {
		if !throughout {
			s = sortedLines{}
		}
		before := s.lineSum
		if err := eachLineOf([]string{file}, s.check); err != nil {
			return err
		}
		got.lines += s.lines - before.lines
		got.sum += s.sum - before.sum
	}
	if got != want {
		return fmt.Errorf("%w: %d lines with the sum %x, but %d with %x are right", errWrong, got.lines, got.sum, want.lines, want.sum)
	}
	return nil
}
