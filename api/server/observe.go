package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"
)

// observe surrounds every request: it gives the request an id, answers its error, counts it and
// logs it, once.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun := time.Now()
		c.Response().Header().Set(echo.HeaderXRequestID, requestID(c.Request()))
		defer func() { // even if the answer breaks off
			took := time.Since(begun)
			s.metrics.count(c, took)
			s.cfg.Log.Debug("request answered", "request", c.Response().Header().Get(echo.HeaderXRequestID),
				"method", c.Request().Method, "path", c.Request().URL.Path, "status", c.Response().Status,
				"caller", callerOf(c).name, "client", c.Request().RemoteAddr, "took", took)
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// requestID returns the client's request id, if it is safe in a header and a log, or a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get(echo.HeaderXRequestID)
	odd := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.:/", c)
	}
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, odd) {
		return strings.ToLower(ulid.Make().String())
	}
	return id
}

// recoverPanics turns panics into errors, except the one that breaks a connection on purpose.
func (s *Server) recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

// answerError is the only place where an error becomes an answer, and where the server's errors are
// logged.
func (s *Server) answerError(err error, c echo.Context) {
	var known *api.Problem
	if !errors.As(err, &known) && errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil {
		return // the client has left
	}
	if c.Response().Committed {
		// It is too late for an answer. Handlers that stream have logged why; otherwise the client
		// has closed the connection.
		breakOff()
	}
	p := problemOf(err)
	p.RequestID = c.Response().Header().Get(echo.HeaderXRequestID)
	if p.Status >= http.StatusInternalServerError && p.Code != api.CodeNotConfigured && p.Code != api.CodeTooManyUploads {
		s.cfg.Log.Error("request failed", "request", p.RequestID, "method", c.Request().Method,
			"path", c.Request().URL.Path, "code", p.Code, "error", err)
	}
	header := c.Response().Header()
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		if header.Get(echo.HeaderRetryAfter) == "" {
			header.Set(echo.HeaderRetryAfter, "1")
		}
	}
	if p.Status == http.StatusRequestTimeout || p.Status == http.StatusRequestEntityTooLarge {
		header.Set(echo.HeaderConnection, "close") // the rest of the body would be read as a request
	}
	header.Del(echo.HeaderContentLength)
	header.Set(echo.HeaderContentType, "application/problem+json")
	c.Response().WriteHeader(p.Status)
	if err := c.Echo().JSONSerializer.Serialize(c, p, ""); err != nil {
		s.cfg.Log.Debug("client left before the answer", "request", p.RequestID, "error", err)
	}
}

// brokenAnswer ends an answer after its source failed, or its client left, in the middle. It sends
// what there is first: a client that has got the header knows what broke.
func (s *Server) brokenAnswer(c echo.Context, err error) {
	level := slog.LevelWarn
	if left := (leftError{}); errors.As(err, &left) || c.Request().Context().Err() != nil {
		level = slog.LevelDebug // the client has left: it has got what it wanted
	}
	s.cfg.Log.Log(c.Request().Context(), level, "answer broke off", "request", c.Response().Header().Get(echo.HeaderXRequestID),
		"path", c.Request().URL.Path, "error", err)
	_ = http.NewResponseController(c.Response()).Flush() // the client may have left
	breakOff()
}

// breakOff breaks the connection in the middle of an answer, so that the client does not take the
// part that it has for the whole.
func breakOff() { panic(http.ErrAbortHandler) }

// seconds formats a duration for the header Retry-After, rounded up.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
