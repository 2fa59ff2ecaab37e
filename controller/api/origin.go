package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

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
				return newProblem(CodeCrossOrigin, "%w", err)
			}
			if len(s.cfg.Tokens) == 0 && local(r.RemoteAddr) && !localName(r.Host) {
				return newProblem(CodeCrossOrigin, "%.80q is not a name of this machine", r.Host).
					hinted("a server without tokens is reached from its own machine as localhost or by an IP address")
			}
			return next(c)
		}
	}
}

// local tells whether a client's address is this machine's.
func local(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// localName tells whether nobody else can make the host of a request lead here.
func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
