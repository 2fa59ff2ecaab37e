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

// errReaderLeft says that nobody reads standard output any more, as when it goes to head.
var errReaderLeft = errors.New("the reader of standard output has left")

// stream is standard output or standard error. Text is quoted on its way (see quote), since much of it comes
// from servers and programs. It is safe for concurrent use.
type stream struct {
	name     string
	to       io.Writer
	terminal bool

	mu      sync.Mutex
	held    []byte // guarded by mu, as is the rest: the beginning of a character whose end is still to come
	outlive bool   // go on, and say nothing, when the reader has left
	err     error  // the first of all writes
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

// pass writes bytes as they are. It needs mu.
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

// end writes what is held, and returns what went wrong with any write.
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
	if path := new(fs.PathError); errors.As(err, &path) {
		err = path.Err // it calls the file /dev/stdout
	}
	return fmt.Errorf("write %s: %w", s.name, err)
}

// raw returns a writer for data, which is quoted only where it would reach a terminal.
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

// terminalOf returns the terminal that a writer writes to, nil if there is none.
func terminalOf(w io.Writer) *os.File {
	if s, ok := w.(*stream); ok && s.terminal {
		return s.to.(*os.File)
	}
	return nil
}

// outliveReader lets a command that changes something come to its end when the reader of its output leaves.
func outliveReader(stdout io.Writer) {
	if s, ok := stdout.(*stream); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outlive = true
	}
}
