package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
)

// expectation is the correct result of a job.
type expectation struct {
	lines     []string // of all parts, sorted
	parts     int      // objects; not checked if mapOnly
	records   int64    // of the input
	keyOnly   bool     // lines have no value
	mapOnly   bool     // parts need not be sorted
	inOrder   bool     // the parts follow one another in order; equal lines may be in several parts
	fails     bool     // the job fails, and leaves the output unchanged
	mayCancel bool     // the job may be cancelled, and then has no output
}

// linesOf splits text at its line ends.
func linesOf(text []byte) [][]byte {
	lines := bytes.Split(text, []byte("\n"))
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func countWords(lines [][]byte) []string {
	counts := map[string]int{}
	for _, line := range lines {
		for _, word := range bytes.Fields(line) {
			counts[string(word)]++
		}
	}
	result := make([]string, 0, len(counts))
	for word, n := range counts {
		result = append(result, word+"\t"+strconv.Itoa(n))
	}
	slices.Sort(result)
	return result
}

// firstAndLast returns the result of sortedValuesFn for lines.
func firstAndLast(lines [][]byte) []string {
	words := map[string][]string{}
	for _, line := range lines {
		for _, word := range bytes.Fields(line) {
			key := []rune(string(word))
			key = key[:min(2, len(key))]
			words[string(key)] = append(words[string(key)], string(word))
		}
	}
	result := make([]string, 0, len(words))
	for key, values := range words {
		result = append(result, fmt.Sprintf("%s\t%d %s %s True", key, len(values), slices.Min(values), slices.Max(values)))
	}
	slices.Sort(result)
	return result
}

func texts(lines [][]byte) []string {
	result := make([]string, len(lines))
	for i, line := range lines {
		result[i] = string(line)
	}
	return result
}

func sorted(lines [][]byte) []string {
	result := texts(lines)
	slices.Sort(result)
	return result
}

func unique(lines []string) []string { return slices.Compact(lines) }

var pattern = regexp.MustCompile("w1[0-9a-f]")

func matching(lines [][]byte) [][]byte {
	return slices.DeleteFunc(lines, func(line []byte) bool { return !pattern.Match(line) })
}

// output has the objects below a job's output URL, by name.
type output map[string][]byte

// check compares an output with the expected result.
func (e *expectation) check(out output, id job.ID) error {
	var success layout.Success
	text, ok := out[layout.SuccessName]
	if !ok {
		return fmt.Errorf("there is no %s among %v", layout.SuccessName, names(out))
	}
	if err := json.Unmarshal(text, &success); err != nil {
		return fmt.Errorf("read %s: %w", layout.SuccessName, err)
	}
	if success.Job != id {
		return fmt.Errorf("%s is of job %s, not %s", layout.SuccessName, success.Job, id)
	}
	if n := len(success.Parts); len(out) != n+1 || !e.mapOnly && n != e.parts {
		return fmt.Errorf("%d parts are listed, %d expected; there are %v", n, e.parts, names(out))
	}
	if got := success.Counters["map_input_records"]; got != e.records {
		return fmt.Errorf("the counter map_input_records is %d, the input has %d", got, e.records)
	}
	var all []string
	keys := map[string]string{} // key -> the part that has it
	for i, listed := range success.Parts {
		lines, err := e.checkPart(out, i, listed)
		if err != nil {
			return fmt.Errorf("%s: %w", listed.Name, err)
		}
		for _, line := range lines {
			if other, ok := keys[e.key(line)]; ok && other != listed.Name && !e.mapOnly && !e.inOrder {
				return fmt.Errorf("%s and %s both have the key %q", other, listed.Name, e.key(line))
			}
			keys[e.key(line)] = listed.Name
		}
		if e.inOrder && len(all) > 0 && len(lines) > 0 && e.key(all[len(all)-1]) > e.key(lines[0]) {
			return fmt.Errorf("%s begins with %q, after %q", listed.Name, lines[0], all[len(all)-1])
		}
		all = append(all, lines...)
	}
	if success.Records != int64(len(all)) {
		return fmt.Errorf("%s lists %d records, there are %d", layout.SuccessName, success.Records, len(all))
	}
	slices.Sort(all)
	return sameLines(all, e.lines)
}

// key returns the key of a line, by which parts are sorted.
func (e *expectation) key(line string) string {
	if e.keyOnly {
		return line
	}
	return line[:max(0, strings.LastIndexByte(line, '\t'))]
}

// checkPart compares a part with its entry in _SUCCESS, and returns its lines.
func (e *expectation) checkPart(out output, index int, listed layout.SuccessPart) ([]string, error) {
	data, ok := out[listed.Name]
	switch {
	case listed.Name != layout.PartName(index) || !ok:
		return nil, fmt.Errorf("is number %d of %v", index, names(out))
	case listed.Bytes != int64(len(data)):
		return nil, fmt.Errorf("%d bytes are listed, there are %d", listed.Bytes, len(data))
	case listed.Checksum != fmt.Sprintf("xxh64:%016x", xxhash.Sum64(data)):
		return nil, fmt.Errorf("its checksum is not %s, as is listed", listed.Checksum)
	case len(data) == 0:
		return nil, nil
	case data[len(data)-1] != '\n':
		return nil, errors.New("its last line has no end")
	}
	lines := texts(linesOf(data))
	if listed.Records != int64(len(lines)) {
		return nil, fmt.Errorf("%d records are listed, there are %d", listed.Records, len(lines))
	}
	for i := 1; i < len(lines) && !e.mapOnly; i++ {
		if e.key(lines[i-1]) > e.key(lines[i]) {
			return nil, fmt.Errorf("line %d, %q, comes after %q", i+1, lines[i], lines[i-1])
		}
	}
	return lines, nil
}

// sameLines returns an error for the first difference of two sorted lists.
func sameLines(got, want []string) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("%d lines, not %d: %q is missing", len(got), len(want), want[i])
		case i >= len(want):
			return fmt.Errorf("%d lines, not %d: %q is too many", len(got), len(want), got[i])
		case got[i] != want[i]:
			return fmt.Errorf("%d lines for %d; the first that differs is %q, should be %q", len(got), len(want), got[i], want[i])
		}
	}
	return nil
}

func names(out output) []string {
	var all []string
	for name := range out {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
