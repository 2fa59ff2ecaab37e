package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// Server answers requests. It has no goroutines besides those of its requests.
type Server struct {
	cfg     Config
	gate    *gate
	audit   *audit
	hosts   []string // names of the server in lower case
	places  *places
	uploads chan struct{} // has one element for each upload under way
	streams *streams
	rates   *rates // nil: no limit
	metrics *metrics
	openapi openapiDocument

	work       objstore.Bucket
	workPrefix string

	handler http.Handler
	ending  chan struct{} // closed when event streams should end
	end     sync.Once     // closes ending
}

// New makes a server. It makes no request.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure the API: %w", err)
	}
	s := &Server{cfg: cfg, uploads: make(chan struct{}, cfg.Uploads), streams: newStreams(cfg.MaxStreams), ending: make(chan struct{})}
	if cfg.Rate > 0 {
		s.rates = newRates(cfg.Rate, cfg.Burst)
	}
	var err error
	if s.gate, err = newGate(cfg.Tokens); err != nil {
		return nil, fmt.Errorf("configure the API: %w", err)
	}
	s.audit = newAudit(cfg.Log)
	for _, host := range cfg.Hosts {
		s.hosts = append(s.hosts, hostOf(host))
	}
	if s.places, err = newPlaces(cfg.Allow, cfg.AllowFiles, cfg.Work); err != nil {
		return nil, fmt.Errorf("configure the API: %w", err)
	}
	if s.work, s.workPrefix, err = cfg.Open(context.Background(), cfg.Work); err != nil { // opening makes no request
		return nil, fmt.Errorf("open work store: %w", err)
	}
	s.workPrefix = strings.Trim(s.workPrefix, "/")
	if s.openapi, err = loadOpenAPI(cfg.Version); err != nil {
		return nil, err
	}
	s.metrics = newMetrics(&s.cfg)
	s.handler = s.build()
	return s, nil
}

// Handler returns the handler of all requests. Under another http.Server than that of HTTPServer,
// nothing limits the time that a request's header may take.
func (s *Server) Handler() http.Handler { return s.handler }

// Limits of the http.Server. The time of a whole request or answer is not limited, because both may
// have any size; their pace is: see bodyReader and pacedWriter.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10 // bytes
)

// HTTPServer returns an http.Server for addr that is not started yet. Its Shutdown also ends the
// event streams, whose clients continue at another server.
func (s *Server) HTTPServer(addr string) *http.Server {
	server := &http.Server{
		Addr: addr, Handler: s.handler,
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug), // mistakes of clients: TLS, broken requests
	}
	server.RegisterOnShutdown(func() { s.end.Do(func() { close(s.ending) }) })
	return server
}

// build makes the handler of the routes and the middleware before them, the outermost first.
func (s *Server) build() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = s.answerError
	e.Use(s.observe, s.paceAnswers, s.recoverPanics, s.guardBody, s.limitRate, s.refuseOtherSites())
	for _, r := range withHeads(s.routes()) {
		handle := s.require(r.role, func(c echo.Context) error {
			if err := checkQuery(c.Request().URL.RawQuery, r.query); err != nil {
				return err
			}
			if err := checkConditions(c.Request()); err != nil {
				return err
			}
			return r.handle(c)
		})
		e.Add(r.method, r.path, func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "no-store")
			c.Response().Header().Set("X-Content-Type-Options", "nosniff")
			return handle(c)
		})
	}
	return e
}

// layout is where a job's objects on the work store are.
func (s *Server) layout(id job.ID) layout.Layout {
	return layout.Layout{Prefix: s.workPrefix, Job: id, Spread: 1}
}
