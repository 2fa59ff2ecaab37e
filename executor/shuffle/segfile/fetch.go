package segfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// OpenFunc opens length bytes of an object at offset for reading. It retries by itself. The caller
// reads the body to the end and closes it.
type OpenFunc func(ctx context.Context, offset, length int64) (io.ReadCloser, error)

// errShort reports an object that ends before all bytes of a range.
var errShort = errors.New("object ends early")

// corruptReads is how often damaged bytes are read before they are reported as a *CorruptError.
// They may have been damaged on the way, and repeating a map task costs more than reading a block
// of its output again.
const corruptReads = 3

// readAgain retries read while it returns ErrCorrupt, up to corruptReads times in all, and calls
// rewind in between.
func readAgain(read func() error, rewind func()) error {
	for reads := 1; ; reads++ {
		err := read()
		if !errors.Is(err, ErrCorrupt) {
			return err
		}
		if reads == corruptReads {
			if corrupt, ok := errors.AsType[*CorruptError](err); ok {
				corrupt.Reads = reads
			}
			return err
		}
		rewind()
	}
}

// Fetcher runs the ranged reads of one merge in the order of their start, up to fetches at the same
// time.
type Fetcher struct {
	ctx      context.Context
	cancel   context.CancelFunc
	fetches  int
	wg       sync.WaitGroup
	requests *atomic.Int64
	bytes    *atomic.Int64

	mu      sync.Mutex
	running int      // guarded by mu
	waiting []func() // guarded by mu
}

// NewFetcher returns a Fetcher that counts its reads in requests and bytes. The reads end with ctx.
func NewFetcher(ctx context.Context, fetches int, requests, bytes *atomic.Int64) *Fetcher {
	f := &Fetcher{fetches: fetches, requests: requests, bytes: bytes}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// Close ends all reads and waits for them.
func (f *Fetcher) Close() {
	f.cancel()
	f.wg.Wait()
}

// fetched is the result of a ranged read.
type fetched struct {
	data []byte
	err  error
}

// start reads a range into buf, or into a new buffer if buf is too small, and sends it to done,
// which must have room for it.
func (f *Fetcher) start(open OpenFunc, offset, length int64, buf []byte, done chan<- fetched) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, func() {
		if f.ctx.Err() != nil {
			done <- fetched{err: context.Cause(f.ctx)}
			return
		}
		data, err := f.read(open, offset, length, buf)
		done <- fetched{data: data, err: err}
	})
	if f.running < f.fetches {
		f.running++
		f.wg.Go(f.work)
	}
}

// work runs reads until none is waiting.
func (f *Fetcher) work() {
	for {
		read := f.pop()
		if read == nil {
			return
		}
		read()
	}
}

func (f *Fetcher) pop() (read func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		f.running--
		return nil
	}
	read, f.waiting = f.waiting[0], f.waiting[1:]
	return read
}

func (f *Fetcher) read(open OpenFunc, offset, length int64, buf []byte) ([]byte, error) {
	f.requests.Add(1)
	data, err := readRange(f.ctx, open, offset, length, buf)
	f.bytes.Add(int64(len(data)))
	return data, err
}

// readRange reads length bytes at offset. It returns errShort if the body is shorter.
func readRange(ctx context.Context, open OpenFunc, offset, length int64, buf []byte) (data []byte, err error) {
	body, err := open(ctx, offset, length)
	if err != nil {
		return nil, fmt.Errorf("open range of %d bytes at %d: %w", length, offset, err)
	}
	defer func() {
		if closeErr := body.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close range of %d bytes at %d: %w", length, offset, closeErr)
		}
	}()
	if int64(cap(buf)) < length {
		buf = make([]byte, length)
	}
	n, err := io.ReadFull(body, buf[:length])
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return buf[:n], errShort
	case err != nil:
		return buf[:n], fmt.Errorf("read range of %d bytes at %d: %w", length, offset, err)
	}
	return buf[:length], nil
}
