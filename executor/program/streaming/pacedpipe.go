package streaming

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// minPause is the shortest sleep that saves time. maxPause bounds how long a reader waits that
	// has become faster.
	minPause = 500 * time.Microsecond
	maxPause = 20 * time.Millisecond
)

// pacedPipe writes to a pipe. A blocked writer is woken for every page that the reader frees; with
// reads of 4 KiB, these wake-ups cost as much processor time as a simple reader's work. So a
// pacedPipe sleeps until about half of a full pipe should be free. Decision 0021 has the
// measurement. It belongs to one goroutine.
type pacedPipe struct {
	file *os.File
	size int64 // of the pipe, in bytes

	full    time.Time // when the pipe was last full; zero: never
	written int64     // bytes since then
	ended   time.Time // when Write last returned
	pause   time.Duration
}

func newPacedPipe(file *os.File) *pacedPipe {
	return &pacedPipe{file: file, size: sizeOfPipe(file)}
}

// Write writes all of p, as os.File does.
func (w *pacedPipe) Write(p []byte) (n int, err error) {
	if !w.full.IsZero() { // between two calls, the reader had nothing new to read
		w.full = w.full.Add(time.Since(w.ended))
	}
	defer func() { w.ended = time.Now() }()
	for paused := false; ; {
		m, err := w.try(p[n:])
		n += m
		w.written += int64(m)
		if err != nil || n == len(p) {
			return n, err
		}
		w.adjust()
		if paused && m == 0 || w.pause < minPause {
			// For a very slow or a fast reader, block as usual.
			paused = false
			end := min(len(p), n+int(w.size)/2)
			m, err := w.file.Write(p[n:end])
			n += m
			w.written += int64(m)
			if err != nil {
				return n, err
			}
			continue
		}
		time.Sleep(w.pause)
		paused = true
	}
}

// adjust notes that the pipe is full. Since it was last full, as much was read as was written.
func (w *pacedPipe) adjust() {
	now := time.Now()
	if !w.full.IsZero() && w.written > 0 {
		took := float64(now.Sub(w.full)) * float64(w.size/2) / float64(w.written)
		w.pause = min(time.Duration(took), maxPause)
	}
	w.full, w.written = now, 0
}

// try writes as much as there is room for.
func (w *pacedPipe) try(p []byte) (n int, err error) {
	conn, err := w.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	raw := conn.Write(func(fd uintptr) bool {
		for {
			n, err = unix.Write(int(fd), p)
			if !errors.Is(err, unix.EINTR) {
				return true
			}
		}
	})
	switch {
	case raw != nil: // the pipe is closed: no deadline is set
		return 0, &os.PathError{Op: "write", Path: w.file.Name(), Err: os.ErrClosed}
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, &os.PathError{Op: "write", Path: w.file.Name(), Err: err}
	}
	return n, nil
}

// sizeOfPipe returns how many bytes fit into a pipe.
func sizeOfPipe(f *os.File) int64 {
	const usual = 64 << 10
	conn, err := f.SyscallConn()
	if err != nil {
		return usual
	}
	size := 0
	_ = conn.Control(func(fd uintptr) { size, _ = unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0) })
	if size <= 0 {
		return usual
	}
	return int64(size)
}
