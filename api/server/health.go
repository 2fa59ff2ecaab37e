package server

import (
	"context"
	"net/http"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
)

// readyTimeout is how long the check of readiness may take.
const readyTimeout = 5 * time.Second

// healthy answers GET /healthz: the process is alive.
func (s *Server) healthy(c echo.Context) error {
	return c.JSON(http.StatusOK, api.Health{Status: "ok"})
}

// ready answers GET /readyz: Redis and the store answer, too.
func (s *Server) ready(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyTimeout)
	defer cancel()
	check := s.cfg.Ready
	if check == nil {
		check = func(ctx context.Context) error {
			_, err := s.cfg.Store.Active(ctx)
			return err
		}
	}
	if err := check(ctx); err != nil {
		// Everybody may ask this, and must not learn addresses.
		p := problemFrom(api.CodeNotReady, err, true)
		p.Detail = "Redis or the store can't be reached"
		return p
	}
	return c.JSON(http.StatusOK, api.Health{Status: "ok"})
}
