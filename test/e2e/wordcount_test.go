package e2e

import (
	"bytes"
	"fmt"
	"testing"
)

// Word counts by the builtin and by a Python program give the same bytes with any number of
// executors.
func TestResultsAreTheSameForAnyNumberOfExecutors(t *testing.T) {
	t.Parallel()
	c, _ := newCluster(t, 0)
	text := generate(2 << 20)
	input := []string{c.put("in/text.txt", text)}
	programs := []spec{
		{Program: "wordcount", Input: input, SplitSize: "256KiB"},
		{Program: "slow_word_count.py", Input: input, SplitSize: "512KiB", Params: map[string]string{"pause": "0"}},
	}
	first := make([][]byte, len(programs))
	executors := 0
	for _, want := range []int{1, 2, 4} {
		c.startExecutors(want - executors)
		executors = want
		for i, s := range programs {
			s.Name = fmt.Sprintf("%s-%d", s.Program, executors)
			_, results := c.count(s, text).check()
			if first[i] == nil {
				first[i] = results
			}
			if !bytes.Equal(results, first[i]) {
				t.Errorf("%s gives other bytes with %d executors than with 1", s.Program, executors)
			}
		}
	}
}
