// Package proxy is a TCP proxy that makes a network bad on demand: it delays, throttles, holds
// and cuts connections, and flips bytes in the bodies of chosen HTTP exchanges.
package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Conditions are those of the network between a proxy's clients and its server. The zero value
// passes everything at once.
type Conditions struct {
	Cut   bool          // connections are reset, also those that are tried
	Hold  bool          // connections stay, and nothing comes through until this ends
	Delay time.Duration // of every piece of data, in either direction
	Rate  int64         // bytes per second in each direction, of all connections together; 0: no limit

	// Corrupt is asked once for each HTTP request whether to flip a byte: in the body of the
	// request for a PUT, else in that of a successful answer. Nil: never.
	Corrupt func(method, path string) bool
}

// Proxy forwards connections to one server. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	upstream string
	closing  context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	flipped  atomic.Int64

	mu      sync.Mutex
	now     Conditions         // guarded by mu, like the rest
	changed chan struct{}      // closed when now changes
	links   map[*link]struct{} // those that are open
	free    [2]time.Time       // by direction: when a limited link can take the next byte
}

// The directions.
const (
	toServer = iota
	toClient
)

// pieceSize is how much is read, delayed and passed on at a time, in bytes.
const pieceSize = 16 << 10

// Listen starts a proxy for the server at upstream, HOST:PORT, on a free port of this machine.
func Listen(upstream string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, upstream: upstream, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.closing, p.stop = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens, HOST:PORT.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Flipped is how many bytes were flipped so far.
func (p *Proxy) Flipped() int64 { return p.flipped.Load() }

// Set changes the conditions, for open connections too.
func (p *Proxy) Set(c Conditions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = c
	close(p.changed)
	p.changed = make(chan struct{})
	if c.Cut {
		p.resetLocked()
	}
}

func (p *Proxy) resetLocked() {
	for l := range p.links {
		l.reset()
	}
}

// Close resets all connections and waits for them to end.
func (p *Proxy) Close() error {
	p.stop()
	err := p.listener.Close()
	p.mu.Lock()
	p.resetLocked()
	p.mu.Unlock()
	p.running.Wait()
	return err
}

func (p *Proxy) conditions() (Conditions, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.changed
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.running.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve joins a client to a connection of its own to the server.
func (p *Proxy) serve(client *net.TCPConn) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	server, err := dialer.DialContext(p.closing, "tcp", p.upstream)
	if err != nil {
		abort(client)
		return
	}
	l := &link{proxy: p, client: client, server: server.(*net.TCPConn), ended: make(chan struct{})}
	if !p.admit(l) {
		l.reset()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.copy(l.server, l.client, toServer) })
	both.Go(func() { l.copy(l.client, l.server, toClient) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	l.reset()
}

// admit notes an open connection, unless there may be none.
func (p *Proxy) admit(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.Cut || p.closing.Err() != nil {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

// book returns when n bytes more will have gone through a link of that rate.
func (p *Proxy) book(direction, n int, rate int64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.free[direction].Before(now) {
		p.free[direction] = now
	}
	p.free[direction] = p.free[direction].Add(time.Duration(n) * time.Second / time.Duration(rate))
	return p.free[direction]
}

// link is a client's connection and ours to the server.
type link struct {
	proxy          *Proxy
	client, server *net.TCPConn
	exchange       exchange
	once           sync.Once
	ended          chan struct{} // closed by reset
}

// reset ends both connections, without ceremony.
func (l *link) reset() {
	l.once.Do(func() {
		close(l.ended)
		abort(l.client)
		abort(l.server)
	})
}

// abort makes the other side see a reset.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0) // fails only if the connection has ended already
	_ = c.Close()      // nobody hears of it: that is the point
}

// copy passes on what comes until one side ends.
func (l *link) copy(dst, src *net.TCPConn, direction int) {
	piece := make([]byte, pieceSize)
	for {
		n, err := src.Read(piece)
		if n > 0 {
			if !l.travel(n, direction) {
				return
			}
			l.corrupt(piece[:n], direction)
			if _, err := dst.Write(piece[:n]); err != nil {
				l.reset()
				return
			}
		}
		if err != nil {
			l.end(dst, err)
			return
		}
	}
}

// end passes the end of one direction on.
func (l *link) end(dst *net.TCPConn, err error) {
	var network *net.OpError
	if errors.As(err, &network) || dst.CloseWrite() != nil {
		l.reset()
	}
}

// travel takes as long as n bytes take now; false: the link broke.
func (l *link) travel(n, direction int) bool {
	c, changed := l.proxy.conditions()
	for c.Hold {
		select {
		case <-changed:
		case <-l.ended:
			return false
		}
		c, changed = l.proxy.conditions()
	}
	arrival := time.Now().Add(c.Delay)
	if c.Rate > 0 {
		if free := l.proxy.book(direction, n, c.Rate); free.After(arrival) {
			arrival = free
		}
	}
	wait := time.Until(arrival)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ended:
		return false
	}
}

func (l *link) corrupt(piece []byte, direction int) {
	c, _ := l.proxy.conditions()
	var body []byte
	if direction == toServer {
		body = l.exchange.request(piece, c.Corrupt)
	} else {
		body = l.exchange.answer(piece)
	}
	if len(body) > 0 {
		body[len(body)/2] ^= 0x55
		l.proxy.flipped.Add(1)
	}
}
