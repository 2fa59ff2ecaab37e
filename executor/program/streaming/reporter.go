package streaming

import (
	"bytes"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

// reporter obeys the lines on standard error that are meant for us. All processes of an attempt
// share it.
type reporter struct {
	prefix     []byte
	progressed func() // not nil

	mu       sync.Mutex
	counters map[string]int64   // guarded by mu
	err      *program.UserError // guarded by mu: too many counters, or one too large
}

func newReporter(prefix string, progressed func()) *reporter {
	return &reporter{prefix: []byte(prefix), progressed: progressed, counters: map[string]int64{}}
}

// line takes a line with its end, and returns what to log of it.
func (r *reporter) line(line []byte) []byte {
	r.progressed()
	order, ok := bytes.CutPrefix(line, r.prefix)
	if !ok {
		return line
	}
	if status, ok := bytes.CutPrefix(order, []byte("status:")); ok {
		return append([]byte("status: "), bytes.TrimLeft(status, " ")...)
	}
	if counter, ok := bytes.CutPrefix(order, []byte("counter:")); ok && r.count(string(bytes.TrimSpace(counter))) {
		return nil
	}
	return append([]byte("[not understood] "), line...)
}

// count adds to a counter. It reports whether the text is GROUP,NAME,INTEGER.
func (r *reporter) count(text string) bool {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return false
	}
	n, err := strconv.ParseInt(fields[2], 10, 64)
	name := fields[0] + "," + fields[1]
	if err != nil || len(name) > program.MaxCounterName {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sum, known := r.counters[name]
	if !known && len(r.counters) == program.MaxCounters {
		r.err = &program.UserError{Message: fmt.Sprintf("it has more than %d different counters, the last is %s", program.MaxCounters, record.Preview([]byte(name)))}
		return true
	}
	if (sum+n)^sum < 0 && (sum+n)^n < 0 {
		r.err = &program.UserError{Message: fmt.Sprintf("the counter %s is beyond 64 bits", record.Preview([]byte(name)))}
		return true
	}
	r.counters[name] = sum + n
	return true
}

// fault returns what is wrong with the counters so far, or nil.
func (r *reporter) fault(program string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		return nil
	}
	err := *r.err
	err.Program = program
	return &err
}

// Counters implements Counting.
func (r *reporter) Counters() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counters)
}
