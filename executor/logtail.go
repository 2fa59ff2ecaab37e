package executor

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/bucketmill/bucketmill/state"
)

// How much of an attempt's log is kept, and how much of that is told with its failure, in
// bytes.
const (
	logTailSize    = 256 << 10
	failureLogSize = 4 << 10
)

// logTail keeps the end of what is written to it, and passes lines on.
type logTail struct {
	pass       func(line []byte) // may be nil
	progressed func()            // called for each write; may be nil

	mu      sync.Mutex
	tail    []byte // guarded by mu
	written int64  // guarded by mu: bytes, all in all
}

// Write takes whole lines.
func (l *logTail) Write(p []byte) (int, error) {
	if l.progressed != nil {
		l.progressed()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	l.written += int64(len(p))
	if over := len(l.tail) - logTailSize; over > logTailSize/4 { // not at every line
		l.tail = append(l.tail[:0], l.tail[over:]...)
	}
	if l.pass != nil {
		for line := range bytes.Lines(p) {
			l.pass(line)
		}
	}
	return len(p), nil
}

// all returns what is kept.
func (l *logTail) all() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.tail)
}

// kept returns the log as it is stored, and its length in bytes: what is kept, below a line that says how much is not.
func (l *logTail) kept() (log []byte, length int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if missing := l.written - int64(len(l.tail)); missing > 0 {
		log = fmt.Appendf(nil, state.LogCut, missing)
	}
	return append(log, l.tail...), l.written
}

// String returns the end, for a failure.
func (l *logTail) String() string {
	tail := l.all()
	return string(bytes.ToValidUTF8(tail[max(0, len(tail)-failureLogSize):], []byte("?")))
}
