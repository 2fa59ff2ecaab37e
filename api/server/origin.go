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

// refuseOtherSites refuses requests from pages of other sites. If somebody runs a server without
// tokens on a laptop, a page in their browser could otherwise make the server run programs: by a
// cross-origin request, or by a name of the page's own that leads to this machine (DNS rebinding).
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
					WithHint("reach a server without tokens as localhost, by an IP address, or by a name in its --host flags")
			}
			return next(c)
		}
	}
}

// isProbe reports whether a path is one of the health checks, which reveal nothing else. Their
// client may be as simple as a load balancer that speaks HTTP/1.0 and sends no host.
func isProbe(path string) bool { return path == "/healthz" || path == "/readyz" }

// ownName reports whether the host of a request is an address, or a name of this machine or server,
// so that nobody else can have made it lead here.
func (s *Server) ownName(host string) bool {
	name := hostOf(host)
	_, err := netip.ParseAddr(name)
	return err == nil || name == "localhost" || strings.HasSuffix(name, ".localhost") || slices.Contains(s.hosts, name)
}

// hostOf is the name in a Host header, without the port and without a dot at the end.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}
