package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
)

// refuseOtherSites keeps pages of other sites out. One that is open in the browser of somebody
// who runs a server without tokens on a laptop could otherwise have it run programs: by a
// request across origins, or by a name of its own that leads to this machine (DNS rebinding).
func (s *Server) refuseOtherSites() echo.MiddlewareFunc {
	guard := http.NewCrossOriginProtection()
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if err := guard.Check(r); err != nil {
				return newProblem(api.CodeCrossOrigin, "%w", err)
			}
			if s.gate.open && !isProbe(r.URL.Path) && !s.ownName(r.Host) {
				return newProblem(api.CodeCrossOrigin, "%.80q is not a name of this server", r.Host).
					WithHint("a server without tokens is reached as localhost, by an IP address, or by a name of its --host flags")
			}
			return next(c)
		}
	}
}

// isProbe tells whether a path is one of those that tell whether the server is well, and nothing else. Who asks them
// may be as simple as a load balancer that speaks HTTP/1.0 and names no host.
func isProbe(path string) bool { return path == "/healthz" || path == "/readyz" }

// ownName tells whether nobody else can make the host of a request lead here: it is an address, or one of the names
// of this machine or server.
func (s *Server) ownName(host string) bool {
	name := hostOf(host)
	_, err := netip.ParseAddr(name)
	return err == nil || name == "localhost" || strings.HasSuffix(name, ".localhost") || slices.Contains(s.hosts, name)
}

// hostOf is the name in a Host header, without a port, and without the dot that may end it.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}
