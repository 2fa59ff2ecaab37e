package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/state"
)

// readyTimeout limits a readiness check.
const readyTimeout = 3 * time.Second

// reachable checks that Redis and the work store answer.
func reachable(ctx context.Context, store *state.Store, stores *connect.Stores, work string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if _, err := store.Active(ctx); err != nil {
		return err
	}
	b, prefix, err := stores.Open(ctx, work)
	if err != nil {
		return err
	}
	for _, err := range b.List(ctx, strings.Trim(prefix+"/jobs/", "/")) {
		return err // the first answer is enough
	}
	return nil
}

// healthServer is a small HTTP server for the health checks and metrics of a service.
type healthServer struct {
	server *http.Server
	done   chan error
}

// serveHealth serves /healthz, /readyz and /metrics on addr. If addr is empty it serves nothing.
func serveHealth(addr string, registry *prometheus.Registry, ready func(context.Context) error) (*healthServer, error) {
	if addr == "" {
		return &healthServer{}, nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for health checks: %w", err)
	}
	h := &healthServer{
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second},
		done:   make(chan error, 1),
	}
	go func() { h.done <- h.server.Serve(listener) }()
	return h, nil
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": text}) // the client may have disconnected
}

// Close stops the server and waits for its end.
func (h *healthServer) Close() error {
	if h.server == nil {
		return nil
	}
	err := h.server.Close()
	if served := <-h.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func joinClose(err error, c io.Closer) error { return errors.Join(err, c.Close()) }

func joinRemove(err error, s *process.Scratch) error { return errors.Join(err, s.Remove()) }
