package segfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// OpenFunc reads length bytes of an object from offset on. It makes its own retries; what it
// returns is read to the end and closed.
type OpenFunc func(ctx context.Context, offset, length int64) (io.ReadCloser, error)

// errShort says that an object ended before the bytes that it should have.
var errShort = errors.New("object ends early")

// corruptReads is how often bytes are read that are not as they should be, before they are reported
// as a *CorruptError. They may have been damaged on their way, and to make a map output again costs
// more than to read a block of it.
const corruptReads = 3

// readAgain calls read, which reads something and checks it, until that is not corrupt, and rewind
// before each repetition.
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

// Fetcher runs the ranged reads of one merge in the order in which they were asked for, no more
// than so many at a time.
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

// NewFetcher returns a Fetcher whose reads end with ctx and are counted in requests and bytes.
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

// fetched is the outcome of one ranged read.
type fetched struct {
	data []byte
	err  error
}

// start reads a range into buf, which it makes if it is too small, and delivers that to done, which has
// room for it.
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

// work does reads until none waits.
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

// readRange reads length bytes at offset. A body that is shorter gives errShort.
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
