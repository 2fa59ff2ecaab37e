package simulation

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"time"
)

// trace is what happened in a run, in order. Two runs of one seed must have the same.
type trace struct {
	start time.Time
	lines []string
	sum   uint64
	names map[string]string // random names, by what stands for them
}

// pagesName is the one thing that production code takes from crypto/rand here.
var pagesName = regexp.MustCompile(`\b[A-Z2-7]{26}\b`)

// add notes what happened.
func (t *trace) add(format string, args ...any) {
	line := pagesName.ReplaceAllStringFunc(fmt.Sprintf(format, args...), t.rename)
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %d %s", t.sum, time.Since(t.start), line) // a hash takes every write
	t.sum = h.Sum64()
	t.write(line)
}

// note adds what is not part of a run's identity.
func (t *trace) note(format string, args ...any) { t.write("      # " + fmt.Sprintf(format, args...)) }

func (t *trace) write(line string) {
	t.lines = append(t.lines, fmt.Sprintf("%11.6f %s", time.Since(t.start).Seconds(), strings.ReplaceAll(line, "\n", `\n`)))
}

func (t *trace) rename(random string) string {
	name, ok := t.names[random]
	if !ok {
		if t.names == nil {
			t.names = map[string]string{}
		}
		name = fmt.Sprintf("PAGES%d", len(t.names))
		t.names[random] = name
	}
	return name
}
