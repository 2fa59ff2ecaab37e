package server

import (
	"net/netip"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

// rates limits how many requests come from one client address. An IPv6 client has a whole /64 of
// addresses, so a /64 counts as one.
type rates struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	clients map[netip.Prefix]*client // guarded by mu
	swept   time.Time                // when clients were last dropped; guarded by mu
}

type client struct {
	limiter *rate.Limiter
	seen    time.Time
}

func newRates(perSecond float64, burst int) *rates {
	return &rates{rate: rate.Limit(perSecond), burst: burst, clients: map[netip.Prefix]*client{}}
}

// wait returns how long a client must wait before its next request; 0: not at all, and then the
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

// sweep drops clients whose limiters are full again, and like those of new clients. The caller
// holds mu.
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

// networkOf is the network of an address host:port by which requests are limited; the zero Prefix
// if the host is not an IP address.
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

// limitRate refuses clients that send requests too often. It lets probes pass.
func (s *Server) limitRate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.rates == nil || isProbe(c.Request().URL.Path) {
			return next(c)
		}
		if wait := s.rates.wait(c.Request().RemoteAddr, time.Now()); wait > 0 {
			c.Response().Header().Set(echo.HeaderRetryAfter, seconds(wait))
			return newProblem(api.CodeRateLimited, "%g requests per second are allowed, %d at once", s.cfg.Rate, s.cfg.Burst)
		}
		return next(c)
	}
}
