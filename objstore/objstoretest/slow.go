package objstoretest

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// hang is how long a read hangs. No caller should wait for it.
const hang = 30 * time.Second

// RunSlow tests an S3 driver against what [objstore.S3Config] says about slow reads. It puts a
// proxy in front of the store.
func RunSlow(t *testing.T, driver S3) {
	target, err := url.Parse(driver.Store.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	s := &slowSuite{target: target, driver: driver}
	runAll(t, []test{
		{"HangingAnswers", func(t *testing.T) { s.tail(t, hangAnswer) }},
		{"HangingBodies", func(t *testing.T) { s.tail(t, hangBody) }},
		{"NewConnection", s.newConnection},
		{"Missing", s.missing},
		{"HedgeBudget", s.budget},
		{"NoHedgeWhenThrottled", s.throttled},
		{"CancelledWhileHedged", s.cancelled},
	})
}

type slowSuite struct {
	target *url.URL
	driver S3
}

// front is a proxy in front of the store that makes some reads slow.
type front struct {
	*httptest.Server
	proxy *httputil.ReverseProxy

	mu    sync.Mutex
	slow  func(read int, next http.Handler) http.Handler // guarded by mu, like the fields below
	reads []string                                       // the client's address of each read
	conns map[net.Conn]http.ConnState
}

func (s *slowSuite) front(t *testing.T) (*front, objstore.Bucket) {
	t.Helper()
	f := &front{conns: make(map[net.Conn]http.ConnState)}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(s.target)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorLog: log.New(io.Discard, "", 0), // of requests that were cancelled
	}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = f.proxy.ErrorLog
	f.Config.ConnState = f.connState
	f.Start()
	t.Cleanup(f.Close)
	return f, s.driver.open(t, objstore.S3Config{Endpoint: f.URL, Transport: newTransport(t, nil)})
}

func (f *front) connState(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns[c] = state; state == http.StateClosed {
		delete(f.conns, c)
	}
}

// busy returns the number of connections with a running request.
func (f *front) busy() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, state := range f.conns {
		if state == http.StateActive {
			n++
		}
	}
	return n
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var next http.Handler = f.proxy
	if Read(r) {
		f.mu.Lock()
		f.reads = append(f.reads, r.RemoteAddr)
		if f.slow != nil {
			next = f.slow(len(f.reads), f.proxy)
		}
		f.mu.Unlock()
	}
	next.ServeHTTP(w, r)
}

// slowDown makes later reads slow, and counts them from 1 again.
func (f *front) slowDown(slow func(read int, next http.Handler) http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow, f.reads = slow, nil
}

func (f *front) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.reads)
}

// after returns a handler that answers after d.
func after(d time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// hangAnswer returns a handler that hangs before it answers.
func hangAnswer(next http.Handler) http.Handler { return after(hang, next) }

// hangBody returns a handler that hangs in the middle of the body.
func hangBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&halting{ResponseWriter: w, ctx: r.Context(), left: 1000}, r)
	})
}

type halting struct {
	http.ResponseWriter
	ctx  context.Context // of the request
	left int
}

func (h *halting) Write(p []byte) (int, error) {
	n, err := h.ResponseWriter.Write(p[:min(len(p), h.left)])
	if h.left -= n; h.left > 0 || err != nil {
		return n, err
	}
	if err := http.NewResponseController(h.ResponseWriter).Flush(); err != nil {
		return n, err
	}
	select {
	case <-time.After(hang):
	case <-h.ctx.Done():
	}
	return n, h.ctx.Err()
}

// rangeSize is the number of bytes of a read in these tests.
const rangeSize = 64 << 10

// readRanges reads ranges of an object, with several workers, and checks them. It returns the
// durations of the reads, sorted.
func readRanges(t *testing.T, b objstore.Bucket, key string, data []byte, reads, workers int) []time.Duration {
	t.Helper()
	took := make([]time.Duration, reads)
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				at := i * rangeSize % len(data)
				began := time.Now()
				got, err := readRange(t.Context(), b, key, int64(at))
				took[i] = time.Since(began)
				if err != nil || !bytes.Equal(got, data[at:at+rangeSize]) {
					t.Errorf("read %d gives %d bytes that may be others, %v", i, len(got), err)
				}
			}
		})
	}
	for i := range reads {
		next <- i
	}
	close(next)
	wg.Wait()
	slices.Sort(took)
	return took
}

func readRange(ctx context.Context, b objstore.Bucket, key string, at int64) ([]byte, error) {
	r, err := b.Get(ctx, key, at, rangeSize)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // the body was read to its end, or failed
	return io.ReadAll(r)
}

// tail lets every 50th read hang, and checks that no read takes long.
func (s *slowSuite) tail(t *testing.T, hangs func(http.Handler) http.Handler) {
	const every, reads, workers, patience = 50, 500, 8, 1500 * time.Millisecond
	f, b := s.front(t)
	key, data := "slow/"+t.Name(), noise(32*rangeSize)
	put(t, b, key, string(data))
	f.slowDown(func(read int, next http.Handler) http.Handler {
		if read%every == 0 {
			return hangs(next)
		}
		return next
	})
	took := readRanges(t, b, key, data, reads, workers)
	p99, most := took[reads*99/100], took[reads-1]
	stats := statsOf(t, b)
	t.Logf("%d reads of which every %dth hangs: median %v, p99 %v, most %v; %d hedges",
		reads, every, took[reads/2], p99, most, stats.Hedges)
	if p99 > patience || most > 2*patience {
		t.Errorf("p99 is %v, the slowest took %v", p99, most)
	}
	if hung := int64(reads / every); stats.Hedges < hung/2 || stats.Hedges > hedgeLimit(reads) {
		t.Errorf("%d hedges for %d reads of which %d hang", stats.Hedges, reads, hung)
	}
	// A hedge may be cancelled before it is sent.
	if sent := int64(len(f.seen())); sent > stats.Gets || sent < stats.Gets-stats.Hedges {
		t.Errorf("%d reads were seen, %d counted, %d of them hedges", sent, stats.Gets, stats.Hedges)
	}
	s.wantIdle(t, f)
}

// hedgeLimit returns the number of hedges that a bucket may send with its first reads: one for
// every twenty, and 5 in advance.
func hedgeLimit(reads int64) int64 { return 5 + reads/20 }

func statsOf(t *testing.T, b objstore.Bucket) objstore.Stats {
	t.Helper()
	meter, ok := b.(objstore.Meter)
	if !ok {
		t.Fatal("the driver does not count")
	}
	return meter.Stats()
}

// wantIdle waits until no request is running.
func (s *slowSuite) wantIdle(t *testing.T, f *front) {
	t.Helper()
	deadline := time.After(goroutineGrace)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for f.busy() > 0 {
		select {
		case <-poll.C:
		case <-deadline:
			t.Errorf("%d connections are still busy", f.busy())
			return
		}
	}
}

// newConnection checks that a hedge uses none of the existing connections.
func (s *slowSuite) newConnection(t *testing.T) {
	for name, hangs := range map[string]func(http.Handler) http.Handler{"answer": hangAnswer, "body": hangBody} {
		t.Run(name, func(t *testing.T) {
			f, b := s.front(t)
			key, data := "slow/"+t.Name(), noise(rangeSize)
			put(t, b, key, string(data))
			f.slowDown(nil)
			readRanges(t, b, key, data, 40, 4) // leaves idle connections
			known := f.seen()
			f.slowDown(func(read int, next http.Handler) http.Handler {
				if read == 1 {
					return hangs(next)
				}
				return next
			})
			wantContent(t, b, key, data)
			seen := f.seen()
			if len(seen) < 2 {
				t.Fatalf("%d reads", len(seen))
			}
			if !slices.Contains(known, seen[0]) {
				t.Errorf("the first read came on a new connection")
			}
			for _, addr := range seen[1:] {
				if slices.Contains(known, addr) {
					t.Errorf("a hedge came on a connection that was there before")
				}
			}
			s.wantIdle(t, f)
		})
	}
}

// missing checks that the answer "no such object" to a hedge ends a read that hangs.
func (s *slowSuite) missing(t *testing.T) {
	f, b := s.front(t)
	f.slowDown(func(read int, next http.Handler) http.Handler {
		if read == 1 {
			return hangAnswer(next)
		}
		return next
	})
	began := time.Now()
	_, err := b.Get(t.Context(), "slow/missing", 0, -1)
	wantError(t, b, "slow/missing", err, objstore.ErrNotFound)
	if took := time.Since(began); took > hang/2 {
		t.Errorf("it took %v", took)
	}
}

// budget makes every read slow, and checks that few are hedged.
func (s *slowSuite) budget(t *testing.T) {
	const reads, workers, delay = 96, 32, 1500 * time.Millisecond
	f, b := s.front(t)
	key, data := "slow/"+t.Name(), noise(rangeSize)
	put(t, b, key, string(data))
	f.slowDown(func(_ int, next http.Handler) http.Handler { return after(delay, next) })
	took := readRanges(t, b, key, data, reads, workers)
	sent, hedges := len(f.seen()), statsOf(t, b).Hedges
	t.Logf("%d reads that take %v each: %d sent, %d hedges, most %v", reads, delay, sent, hedges, took[reads-1])
	if limit := hedgeLimit(reads); hedges > limit || sent > reads+int(limit) {
		t.Errorf("%d requests for %d reads, %d hedges", sent, reads, hedges)
	}
	if hedges == 0 {
		t.Error("no read was hedged, so the limit was not tested")
	}
}

// throttled checks that no hedges are sent after the store asked to slow down.
func (s *slowSuite) throttled(t *testing.T) {
	f, b := s.front(t)
	key, data := "slow/"+t.Name(), noise(rangeSize)
	put(t, b, key, string(data))
	f.slowDown(func(read int, next http.Handler) http.Handler {
		if read == 1 {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code></Error>")
			})
		}
		return after(2*time.Second, next) // more than the first patience
	})
	wantContent(t, b, key, data)
	if sent := len(f.seen()); sent != 2 {
		t.Errorf("%d requests, not 2", sent)
	}
}

// cancelled cancels the context while a read and its hedges hang.
func (s *slowSuite) cancelled(t *testing.T) {
	f, b := s.front(t)
	put(t, b, "slow/cancelled", "data")
	ctx, cancel := context.WithCancel(t.Context())
	var cancelledAt time.Time
	f.slowDown(func(read int, next http.Handler) http.Handler {
		if read == 3 {
			cancelledAt = time.Now()
			cancel()
		}
		return hangAnswer(next)
	})
	_, err := b.Get(ctx, "slow/cancelled", 0, -1)
	wantCancelled(t, "Get", err)
	if took := time.Since(cancelledAt); took > time.Second {
		t.Errorf("it took %v to give up", took)
	}
	s.wantIdle(t, f)
}
