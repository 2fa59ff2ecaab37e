package simulation

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"time"
)

// trace is the events of a run, in order. Two runs of one seed must have the same trace.
type trace struct {
	start time.Time
	lines []string
	sum   uint64
	names map[string]string // random names, by their replacements
}

// pagesName matches the only text that production code takes from crypto/rand here.
var pagesName = regexp.MustCompile(`\b[A-Z2-7]{26}\b`)

// add notes an event.
func (t *trace) add(format string, args ...any) {
	line := pagesName.ReplaceAllStringFunc(fmt.Sprintf(format, args...), t.rename)
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %d %s", t.sum, time.Since(t.start), line) // a hash accepts every write
	t.sum = h.Sum64()
	t.write(line)
}

// note adds a line that is not part of a run's identity.
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
