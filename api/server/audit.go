package server

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

// audit logs, at level INFO, who changed what, and which requests the server has refused.
type audit struct {
	log     *slog.Logger
	limiter *rate.Limiter // of rejections: guesses of tokens must not fill the log
	missed  atomic.Int64  // rejections that were not logged since the last logged one
}

// How many rejections are logged: one in rejectionsEvery, and rejectionsAtOnce at once.
const (
	rejectionsEvery  = time.Second
	rejectionsAtOnce = 20
)

func newAudit(log *slog.Logger) *audit {
	return &audit{log: log, limiter: rate.NewLimiter(rate.Every(rejectionsEvery), rejectionsAtOnce)}
}

// rejected logs that a request was refused because of its token, unless there were many such
// requests just now. The next logged rejection says how many were not logged.
func (a *audit) rejected(c echo.Context, why error) {
	if !a.limiter.Allow() {
		a.missed.Add(1)
		return
	}
	a.done(c, "request rejected", "method", c.Request().Method, "path", c.Request().URL.Path, "error", why, "not_logged", a.missed.Swap(0))
}

// done logs what the caller of a request has done.
func (a *audit) done(c echo.Context, what string, args ...any) {
	a.log.InfoContext(c.Request().Context(), what, append( //nolint:sloglint // callers pass constants
		args, "caller", callerOf(c).name, "client", c.Request().RemoteAddr,
		"request", c.Response().Header().Get(echo.HeaderXRequestID))...)
}
