package streaming

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPacedPipe writes to different readers. Every byte must arrive, in order.
func TestPacedPipe(t *testing.T) {
	data := make([]byte, 5<<20)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data) // it never fails
	for name, reader := range map[string]struct {
		piece int
		wait  func(read int) time.Duration
	}{
		"quick":    {256 << 10, func(int) time.Duration { return 0 }},
		"little":   {4 << 10, func(int) time.Duration { return 50 * time.Microsecond }},
		"slow":     {64 << 10, func(int) time.Duration { return 3 * time.Millisecond }},
		"changing": {32 << 10, func(read int) time.Duration { return time.Duration(read>>20%2) * 5 * time.Millisecond }},
		"halting": {128 << 10, func(read int) time.Duration {
			if read == 2<<20 {
				return 300 * time.Millisecond
			}
			return 0
		}},
	} {
		for _, grown := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				if grown {
					if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 1<<20); err != nil {
						t.Fatal(err)
					}
					if err := syscall.SetNonblock(int(w.Fd()), true); err != nil { // Fd has made it blocking
						t.Fatal(err)
					}
				}
				got := make(chan []byte)
				go func() {
					var all []byte
					piece := make([]byte, reader.piece)
					for {
						n, err := r.Read(piece)
						all = append(all, piece[:n]...)
						if err != nil {
							got <- all
							return
						}
						time.Sleep(reader.wait(len(all)))
					}
				}()
				p := newPacedPipe(w)
				for rest, i := data, 0; len(rest) > 0; i++ {
					n := min(len(rest), []int{1, 1 << 20, 333, 100_000, 0}[i%5])
					m, err := p.Write(rest[:n])
					if err != nil || m != n {
						t.Fatalf("%d of %d bytes: %v", m, n, err)
					}
					rest = rest[n:]
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(<-got, data) {
					t.Error("other bytes came out")
				}
			})
		}
	}
}

// TestPacedPipeEnds closes either end while a writer waits.
func TestPacedPipeEnds(t *testing.T) {
	for name, end := range map[string]struct {
		close func(r, w *os.File) error
		want  error
	}{
		"reader": {func(r, _ *os.File) error { return r.Close() }, syscall.EPIPE},
		"writer": {func(_, w *os.File) error { return w.Close() }, os.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			failed := make(chan error)
			go func() {
				_, err := newPacedPipe(w).Write(make([]byte, 10<<20))
				failed <- err
			}()
			_, err = io.ReadFull(r, make([]byte, 2<<20))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Millisecond)
			if err := end.close(r, w); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-failed:
				if !errors.Is(err, end.want) {
					t.Errorf("got %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it waits for ever")
			}
		})
	}
}

// BenchmarkPacedPipe writes lines to two programs at the same time, through pipes of 1 MiB, with
// and without a pacedPipe. It reports the processor time of all processes, and how often the
// writers waited, for each MiB. Decision 0021 has results.
func BenchmarkPacedPipe(b *testing.B) {
	const size, streams = 32 << 20, 2
	block := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog\n"), (256<<10)/44)
	for _, reader := range [][]string{
		{"cat"},
		{"sed", "-n", "$p"},
		{"awk", "END { print NR }"},
		{"grep", "-c", "cat"},
		{"python3", "-c", "import sys\nfor line in sys.stdin: line.split()"},
	} {
		for _, paced := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/paced=%v", reader[0], paced), func(b *testing.B) {
				b.SetBytes(streams * size)
				var before, after syscall.Rusage
				var children atomic.Int64 // their processor time
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					var all sync.WaitGroup
					for range streams {
						all.Go(func() { children.Add(int64(pipeInto(b, reader, block, size, paced))) })
					}
					all.Wait()
				}
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
					b.Fatal(err)
				}
				cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano() + children.Load()
				each := float64(b.N) * streams * (size >> 20)
				b.ReportMetric(float64(cpu)/1e3/each, "cpu-µs/MiB")
				b.ReportMetric(float64(after.Nvcsw-before.Nvcsw)/each, "switches/MiB")
			})
		}
	}
}

// pipeInto writes size bytes to a program, and returns the program's processor time.
func pipeInto(b *testing.B, reader []string, block []byte, size int, paced bool) time.Duration {
	r, w, err := os.Pipe()
	if err != nil {
		b.Error(err)
		return 0
	}
	conn, err := w.SyscallConn()
	if err != nil {
		b.Error(err)
		return 0
	}
	_ = conn.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	cmd := exec.Command(reader[0], reader[1:]...)
	cmd.Stdin = r
	if err := errors.Join(err, cmd.Start(), r.Close()); err != nil {
		b.Error(err)
		return 0
	}
	var to io.Writer = w
	if paced {
		to = newPacedPipe(w)
	}
	for n := 0; n < size && err == nil; n += len(block) {
		_, err = to.Write(block)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		b.Error(err)
	}
	_ = cmd.Wait() // grep finds nothing
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
