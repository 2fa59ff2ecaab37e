package executor

import (
	"bytes"
	"sync"
)

// logTailSize is how much of an attempt's log is kept for its failure, in bytes.
const logTailSize = 4 << 10

// logTail keeps the end of what is written to it, and passes lines on.
type logTail struct {
	pass func(line []byte) // may be nil

	mu   sync.Mutex
	tail []byte // guarded by mu
}

// Write takes whole lines.
func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if over := len(l.tail) - logTailSize; over > 0 {
		l.tail = append(l.tail[:0], l.tail[over:]...)
	}
	if l.pass != nil {
		for line := range bytes.Lines(p) {
			l.pass(line)
		}
	}
	return len(p), nil
}

func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.ToValidUTF8(l.tail, []byte("?")))
}
