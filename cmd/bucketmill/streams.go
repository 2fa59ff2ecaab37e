package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// errReaderLeft says that the reader of standard output, such as head, has ended.
var errReaderLeft = errors.New("the reader of standard output has left")

// stream is standard output or standard error. It quotes text (see quote), since much of it comes
// from servers and programs. It is safe for concurrent use.
type stream struct {
	name     string
	to       io.Writer
	terminal bool

	mu      sync.Mutex
	held    []byte // guarded by mu, like the fields below: an incomplete character
	outlive bool   // continue without an error after the reader has left
	err     error  // the first error of a write
}

func newStream(name string, to io.Writer) *stream {
	f, isFile := to.(*os.File)
	return &stream{name: name, to: to, terminal: isFile && term.IsTerminal(int(f.Fd()))}
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, held := quote(append(s.held, p...))
	s.held = held
	if err := s.pass(text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// pass writes bytes unchanged. The caller has locked mu.
func (s *stream) pass(p []byte) error {
	if s.outlive && errors.Is(s.err, errReaderLeft) {
		return nil
	}
	_, err := s.to.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		err = errReaderLeft
	}
	if s.err == nil && err != nil {
		s.err = err
	}
	if s.outlive && errors.Is(err, errReaderLeft) {
		return nil
	}
	return err
}

// end writes an incomplete character, and returns the first error of a write.
func (s *stream) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.held {
		_ = s.pass([]byte(quoteByte(b))) // s.err keeps the error
	}
	s.held = nil
	switch {
	case s.err == nil, s.outlive && errors.Is(s.err, errReaderLeft):
		return nil
	case errors.Is(s.err, errReaderLeft):
		return s.err
	}
	err := s.err
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err // path names the file /dev/stdout
	}
	return fmt.Errorf("write %s: %w", s.name, err)
}

// raw returns a writer for data. It quotes data only on a terminal.
func raw(w io.Writer) io.Writer {
	s, ok := w.(*stream)
	if !ok || s.terminal {
		return w
	}
	return writerFunc(func(p []byte) (int, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.pass(p); err != nil {
			return 0, err
		}
		return len(p), nil
	})
}

// terminalOf returns the terminal to which a writer writes, or nil.
func terminalOf(w io.Writer) *os.File {
	if s, ok := w.(*stream); ok && s.terminal {
		return s.to.(*os.File)
	}
	return nil
}

// outliveReader lets a command that changes something finish after the reader of its output has
// left.
func outliveReader(stdout io.Writer) {
	if s, ok := stdout.(*stream); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outlive = true
	}
}
