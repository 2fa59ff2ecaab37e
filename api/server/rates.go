package server

import (
	"net/netip"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

// rates limits how many requests come from one client address. An IPv6 client has a whole /64
// to send from, so that counts as one.
type rates struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	clients map[netip.Prefix]*client // guarded by mu, like the rest
	swept   time.Time                // when full ones were last forgotten
}

type client struct {
	limiter *rate.Limiter
	seen    time.Time
}

func newRates(perSecond float64, burst int) *rates {
	return &rates{rate: rate.Limit(perSecond), burst: burst, clients: map[netip.Prefix]*client{}}
}

// wait says how long a client must wait before its next request; 0: not at all, and then the
// request is counted.
func (r *rates) wait(remote string, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(now)
	network := networkOf(remote)
	c, ok := r.clients[network]
	if !ok {
		c = &client{limiter: rate.NewLimiter(r.rate, r.burst)}
		r.clients[network] = c
	}
	c.seen = now
	reservation := c.limiter.ReserveN(now, 1)
	if !reservation.OK() {
		return time.Second // a burst of 0
	}
	delay := reservation.DelayFrom(now)
	if delay > 0 {
		reservation.CancelAt(now)
	}
	return delay
}

// sweep forgets clients whose limiters are full again: they need no memory. It needs mu.
func (r *rates) sweep(now time.Time) {
	full := time.Duration(float64(r.burst)/float64(r.rate)*float64(time.Second)) + time.Second
	if now.Sub(r.swept) < full {
		return
	}
	r.swept = now
	for network, c := range r.clients {
		if now.Sub(c.seen) > full {
			delete(r.clients, network)
		}
	}
}

// networkOf is the network that an address host:port is limited by; the zero one for what is
// no IP address.
func networkOf(remote string) netip.Prefix {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := addr.Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	network, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}

// limitRate turns away clients that ask too often. Probes are let through.
func (s *Server) limitRate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.rates == nil || isProbe(c.Request().URL.Path) {
			return next(c)
		}
		if wait := s.rates.wait(c.Request().RemoteAddr, time.Now()); wait > 0 {
			c.Response().Header().Set(echo.HeaderRetryAfter, seconds(wait))
			return newProblem(api.CodeRateLimited, "%g requests a second are allowed, %d at once", s.cfg.Rate, s.cfg.Burst)
		}
		return next(c)
	}
}
