package process

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

const (
	// maxLogLine is the length at which a line is broken, in bytes.
	maxLogLine = 64 << 10
	// tailLines and tailBytes bound the end of a log that an error shows.
	tailLines = 20
	tailBytes = 4 << 10
)

// logWriter copies a process's standard error to a log, whole lines at a time, up to a limit. It
// remembers the last lines.
type logWriter struct {
	report  func(line []byte) []byte // returns what to log of a line; nil: everything
	mu      sync.Mutex
	log     io.Writer // guarded by mu; nil after its first error, and beyond the limit
	left    int64     // guarded by mu: bytes until the limit
	partial []byte    // guarded by mu: a line that has no end yet
	tail    []string  // guarded by mu
}

func newLogWriter(log io.Writer, limit int64) *logWriter {
	return &logWriter{log: log, left: limit}
}

// Write implements io.Writer. It never fails: a program must not die because of its log.
func (w *logWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, b...)
	end := bytes.LastIndexByte(w.partial, '\n') + 1
	if end == 0 && len(w.partial) >= maxLogLine {
		w.partial = append(w.partial, '\n')
		end = len(w.partial)
	}
	w.pass(w.partial[:end])
	w.partial = append(w.partial[:0], w.partial[end:]...)
	return len(b), nil
}

// flush logs a last line that has no end.
func (w *logWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.partial) > 0 {
		w.pass(append(w.partial, '\n'))
		w.partial = nil
	}
}

// pass logs whole lines.
func (w *logWriter) pass(lines []byte) {
	if w.report != nil {
		lines = w.reported(lines)
	}
	if len(lines) == 0 {
		return
	}
	w.remember(lines)
	if w.log == nil {
		return
	}
	if int64(len(lines)) > w.left {
		lines = lines[:bytes.LastIndexByte(lines[:w.left], '\n')+1]
		lines = fmt.Appendf(bytes.Clone(lines), "[the log is longer than its limit; the rest is dropped]\n")
		w.left = 0
	}
	if _, err := w.log.Write(lines); err != nil || w.left == 0 {
		w.log = nil
	}
	w.left -= int64(len(lines))
}

// reported calls report for each line, and returns what to log.
func (w *logWriter) reported(lines []byte) []byte {
	logged := make([]byte, 0, len(lines))
	for line := range bytes.Lines(lines) {
		logged = append(logged, w.report(line)...)
	}
	return logged
}

func (w *logWriter) remember(lines []byte) {
	if len(lines) > tailBytes {
		w.tail = nil
		lines = lines[len(lines)-tailBytes:]
	}
	for line := range bytes.Lines(lines) {
		w.tail = append(w.tail, string(line))
	}
	w.tail = append([]string(nil), w.tail[max(0, len(w.tail)-tailLines):]...)
}

// lastLines returns the end of the log.
func (w *logWriter) lastLines() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := strings.Join(w.tail, "")
	return s[max(0, len(s)-tailBytes):]
}
