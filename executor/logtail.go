package executor

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/bucketmill/bucketmill/state"
)

// The size of an attempt's log, in bytes.
const (
	logTailSize    = 256 << 10 // kept
	failureLogSize = 4 << 10   // reported with a failure
)

// logTail keeps the end of a program's log, and passes its lines on.
type logTail struct {
	pass       func(line []byte) // may be nil
	progressed func()            // called for each write; may be nil

	mu      sync.Mutex
	tail    []byte // guarded by mu
	written int64  // guarded by mu: bytes in all
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

// all returns the kept end of the log.
func (l *logTail) all() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.tail)
}

// kept returns the log as it is stored: the kept end, below a line that says how much is missing.
// Its length is that of the whole log, in bytes.
func (l *logTail) kept() (log []byte, length int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if missing := l.written - int64(len(l.tail)); missing > 0 {
		log = fmt.Appendf(nil, state.LogCut, missing)
	}
	return append(log, l.tail...), l.written
}

// String returns the last bytes of the log, for a failure.
func (l *logTail) String() string {
	tail := l.all()
	return string(bytes.ToValidUTF8(tail[max(0, len(tail)-failureLogSize):], []byte("?")))
}
