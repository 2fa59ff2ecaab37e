package server

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

// audit writes down, at level INFO, who changed what, and whom the server has turned away.
type audit struct {
	log     *slog.Logger
	limiter *rate.Limiter // of rejections: who guesses tokens must not fill the log
	missed  atomic.Int64  // rejections that were not logged since the last one that was
}

// How many rejections are logged.
const (
	rejectionsEvery  = time.Second
	rejectionsAtOnce = 20
)

func newAudit(log *slog.Logger) *audit {
	return &audit{log: log, limiter: rate.NewLimiter(rate.Every(rejectionsEvery), rejectionsAtOnce)}
}

// rejected says that a request was refused for its token, unless there were many such requests just now. The next one
// that is logged says how many were not.
func (a *audit) rejected(c echo.Context, why error) {
	if !a.limiter.Allow() {
		a.missed.Add(1)
		return
	}
	a.done(c, "rejected a request", "method", c.Request().Method, "path", c.Request().URL.Path, "error", why, "not_logged", a.missed.Swap(0))
}

// done says what the caller of a request has done.
func (a *audit) done(c echo.Context, what string, args ...any) {
	a.log.InfoContext(c.Request().Context(), what, append( //nolint:sloglint // what has been done is a constant of each caller
		args, "caller", callerOf(c).name, "client", c.Request().RemoteAddr,
		"request", c.Response().Header().Get(echo.HeaderXRequestID))...)
}
