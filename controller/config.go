package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Config is what a controller needs. Fields without a default are required unless they say what
// their zero means.
type Config struct {
	ID     string          // names this process among the controllers
	Store  *state.Store    // control state
	Open   objstore.Opener // for inputs, outputs and the work store
	Work   string          // URL of the prefix for plans, artifacts and intermediates; shared with the executors
	Limits state.Limits    // how often tasks may fail; zero fields take the defaults
	Log    *slog.Logger

	// Interval is how often leases are swept and jobs are advanced when no process calls; default
	// 1s, the shortest time that Redis's blocking calls know.
	Interval time.Duration
	// History is how long an ended job's record is kept; default 7 days, negative: not at all.
	History time.Duration
	// KeepFailed is how long a failed job's plan and committed maps are kept for a retry; 0: they
	// are removed at once.
	KeepFailed time.Duration
	// PlanTimeout and PublishTimeout are how long a controller tries a store that does not answer
	// before the job fails; default 10m.
	PlanTimeout, PublishTimeout time.Duration
	// CleanupTimeout is how long such a store is tried before what is left stays; default 24h.
	CleanupTimeout time.Duration
	// Durable writes jobs to the work store as well, and restores them from there when Redis has
	// lost its data. It is for a Redis that somebody else operates.
	Durable bool
	// Slots is how many tasks all executors do at a time, where that is known beforehand; 0: Redis
	// is asked when a job is planned.
	Slots int
	// MaxTasks is how many tasks, maps and reducers together, a job may have; 0 sets no limit.
	MaxTasks int
	// NoBackups starts no backup attempts beside stragglers: see backUp.
	NoBackups bool
	// OrphanAge is how old objects on the work store must be to be removed when Redis does not know
	// their job; default 7 days, at least History.
	OrphanAge time.Duration
	// Abandoned is called with what could not be removed of a job, and why; may be nil.
	Abandoned func(id job.ID, what string, why error)
	// Kinds are the kinds of programs that executors run. Nothing is assumed of a job of another
	// kind.
	Kinds job.Kinds
	// Metrics is where the controller's metrics are registered; nil: nowhere.
	Metrics prometheus.Registerer
	// Notify reports to spec.Webhook how a job ended; nil: no webhook is called. It is called at
	// least once for each ending, for at most notifyTimeout, and perhaps by several controllers at
	// a time.
	Notify func(ctx context.Context, job state.Job, spec job.Spec, counters map[string]int64) error
}

// withDefaults fills in the fields that are zero.
func (c Config) withDefaults() Config {
	c.Limits = c.Limits.Or(state.DefaultLimits)
	c.Interval = cmp.Or(c.Interval, time.Second)
	c.History = cmp.Or(c.History, 7*24*time.Hour)
	c.PlanTimeout = cmp.Or(c.PlanTimeout, 10*time.Minute)
	c.PublishTimeout = cmp.Or(c.PublishTimeout, 10*time.Minute)
	c.CleanupTimeout = cmp.Or(c.CleanupTimeout, 24*time.Hour)
	c.OrphanAge = max(cmp.Or(c.OrphanAge, 7*24*time.Hour), c.History)
	return c
}

func (c Config) validate() error {
	switch {
	case c.ID == "" || c.Store == nil || c.Open == nil || c.Log == nil:
		return errors.New("id, store, opener and log are required")
	case c.Interval < 0 || c.PlanTimeout < 0 || c.PublishTimeout < 0 || c.CleanupTimeout < 0 || c.OrphanAge < 0:
		return errors.New("a time is negative")
	case c.Slots < 0 || c.MaxTasks < 0:
		return fmt.Errorf("%d slots and at most %d tasks: neither may be negative", c.Slots, c.MaxTasks)
	}
	return nil
}
