package streaming

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// minPause is the shortest sleep that is worth it, and maxPause how long a reader may have to wait
	// that reads faster than it did.
	minPause = 500 * time.Microsecond
	maxPause = 20 * time.Millisecond
)

// pacedPipe writes to a pipe. Who waits for room in a full one is woken for every page that is read,
// which with a reader of 4 KiB at a time costs as much as its work. So a pacedPipe comes back when about
// half of a full pipe should have been read. It belongs to one goroutine.
type pacedPipe struct {
	file *os.File
	size int64 // of the pipe, in bytes

	full    time.Time // when the pipe was last found full; zero: never yet
	written int64     // bytes since then
	ended   time.Time // when Write last returned
	pause   time.Duration
}

func newPacedPipe(file *os.File) *pacedPipe {
	return &pacedPipe{file: file, size: sizeOfPipe(file)}
}

// Write writes all of p, as os.File does.
func (w *pacedPipe) Write(p []byte) (n int, err error) {
	if !w.full.IsZero() { // what nobody wrote since, the reader could not read
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
			// A reader that is slow, or quick, is waited for as usual.
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

// adjust notes that the pipe is full: since it was so the last time, as much was read as was written.
func (w *pacedPipe) adjust() {
	now := time.Now()
	if !w.full.IsZero() && w.written > 0 {
		took := float64(now.Sub(w.full)) * float64(w.size/2) / float64(w.written)
		w.pause = min(time.Duration(took), maxPause)
	}
	w.full, w.written = now, 0
}

// try writes what there is room for.
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
	case raw != nil: // no deadline is set
		return 0, &os.PathError{Op: "write", Path: w.file.Name(), Err: os.ErrClosed}
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, &os.PathError{Op: "write", Path: w.file.Name(), Err: err}
	}
	return n, nil
}

// sizeOfPipe is how much a pipe holds, in bytes.
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
