package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// running is a running process.
type running struct {
	process *process
	role    string
	cancel  context.CancelFunc
}

const (
	workURL = storeURL + "/work"
	// patience is how long controllers wait for a store that does not answer: less than the calm.
	stagePatience = 20 * time.Second
)

func (s *sim) limits() state.Limits {
	return state.Limits{User: 4, Infra: 30, Lost: 20, Segment: 10, Backoff: 200 * time.Millisecond}
}

// spawn runs a process until it ends by itself or is stopped.
func (s *sim) spawn(role string, run func(ctx context.Context, p *process, store *state.Store) error) {
	s.started[role]++
	p := &process{name: fmt.Sprintf("%s%d", role, s.started[role]), slow: 1}
	if s.chance(0.2) && !s.calm {
		p.slow = 20
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.live = append(s.live, &running{process: p, role: role, cancel: cancel})
	store := state.New(s.client(p, s.retries), state.DefaultNamespace)
	s.trace.add("-- start %s", p.name)
	s.running.Go(func() {
		err := run(ctx, p, store)
		cancel()
		if closeErr := store.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			s.mu.Lock()
			s.failed = append(s.failed, fmt.Sprintf("%s: %v", p.name, err))
			s.mu.Unlock()
		}
	})
}

func (s *sim) startExecutor() {
	s.spawn("executor", func(ctx context.Context, p *process, store *state.Store) error {
		e, err := executor.New(ctx, executor.Config{
			ID: job.ExecutorID(p.name), Store: store, Open: s.open(p), Work: workURL, Log: s.logger(p),
			Slots: s.slots, Memory: executor.MinMemory * int64(s.slots), Scratch: filepath.Join(s.scratch, p.name),
			Lease: s.lease, Heartbeat: s.lease / 6, Limits: s.limits(),
		})
		if err != nil {
			return err
		}
		return e.Run(ctx)
	})
}

func (s *sim) controllerOf(ctx context.Context, p *process, store *state.Store) (*controller.Controller, error) {
	return controller.New(ctx, controller.Config{
		ID: p.name, Store: store, Open: s.open(p), Work: workURL, Log: s.logger(p), Limits: s.limits(),
		History: s.history, KeepFailed: s.keepFailed, PlanTimeout: stagePatience, PublishTimeout: stagePatience,
		Durable: s.durable,
	})
}

func (s *sim) startController() {
	s.spawn("controller", func(ctx context.Context, p *process, store *state.Store) error {
		c, err := s.controllerOf(ctx, p, store)
		if err != nil {
			return err
		}
		return c.Run(ctx)
	})
}

// later starts a process after a while, unless the run ends first.
func (s *sim) later(most time.Duration, what string, start func()) {
	s.after(s.upTo(most), what, func() {
		if !s.ending {
			start()
		}
	})
}

// victim returns the process for an incident: one that can be replaced.
func (s *sim) victim(p *process) *running {
	i := slices.IndexFunc(s.live, func(r *running) bool { return r.process == p })
	if i < 0 && len(s.live) > 0 {
		i = s.rng.IntN(len(s.live))
	}
	if i < 0 {
		return nil
	}
	return s.live[i]
}

// leave ends a process, and replaces it after a while.
func (s *sim) leave(r *running) {
	r.cancel()
	s.live = slices.DeleteFunc(s.live, func(other *running) bool { return other == r })
	start := s.startExecutor
	if r.role == "controller" {
		start = s.startController
	}
	s.later(10*time.Second, "replace "+r.process.name, start)
}

// stopAll tells every process to end and waits until it has.
func (s *sim) stopAll() {
	s.ending = true
	for _, r := range s.live {
		r.cancel()
	}
	s.live = nil
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	if !s.runUntil(10*time.Minute, func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}) {
		s.problem("some processes do not end when they are told to")
	}
}

// logger writes a process's log lines into the trace.
func (s *sim) logger(p *process) *slog.Logger {
	if !s.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(logWriter{s, p}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type logWriter struct {
	sim     *sim
	process *process
}

func (w logWriter) Write(line []byte) (int, error) {
	w.sim.mu.Lock()
	defer w.sim.mu.Unlock()
	w.sim.logged = append(w.sim.logged, w.process.name+": "+string(line))
	return len(line), nil
}
