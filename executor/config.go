package executor

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what an executor needs.
type Config struct {
	ID    job.ExecutorID  // names this process; no two that live share one
	Store *state.Store    // control state
	Open  objstore.Opener // for inputs, outputs and the work store
	Work  string          // URL of the prefix for plans, artifacts and intermediates; as the controllers have it
	Log   *slog.Logger

	Slots   int    // attempts that run side by side; at least 1
	Memory  int64  // bytes for the buffers of all slots together; at least MinMemory per slot
	Scratch string // folder on local disk for spills and programs; made if missing; this executor's alone

	// Lease is how long an attempt outlives its executor's last heartbeat; default 30s.
	// Heartbeat is the time between two; default 5s, at most a third of Lease.
	Lease, Heartbeat time.Duration
	// Limits of failures; zero fields take the defaults.
	Limits state.Limits
	// Kinds are the kinds of programs that the executor runs; nil: those of package kinds.
	Kinds program.Kinds
	// Program says how user programs are run.
	Program program.Config
	// ProgramMemory is how much data one attempt's program may have in memory, in bytes, each of
	// its processes by itself; 0: there is no limit.
	ProgramMemory int64
	// Users are who programs run as; nil: the executor's own user. There is one, whom all share, or
	// one for each slot.
	Users *process.Users
	// ProgramLog receives what user programs write to standard error, whole lines at a time,
	// from all attempts; nil drops it. The end of it is kept for failures in any case.
	ProgramLog func(attempt job.AttemptID, line []byte)

	// Grace is how long attempts may go on once the executor is told to stop; then they are
	// handed back. Default 0: at once.
	Grace time.Duration
	// KeepLogs puts every attempt's log on the work store, where it outlives the job.
	KeepLogs bool
	// NoBench has the executor claim tasks however many attempts fail here: it is the only one.
	NoBreaker bool
	// Metrics is where the executor's metrics are registered; nil: nowhere.
	Metrics prometheus.Registerer
	// Version is shown to people who list executors.
	Version string
}

func (c *Config) validate() error {
	if c.Lease == 0 {
		c.Lease = 30 * time.Second
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = min(5*time.Second, c.Lease/3)
	}
	c.Limits = c.Limits.Or(state.DefaultLimits)
	if c.Kinds == nil {
		c.Kinds = kinds.All()
	}
	switch {
	case c.ID == "" || strings.ContainsAny(string(c.ID), " \n"):
		return fmt.Errorf("executor id %q is empty or has spaces", c.ID)
	case c.Slots < 1:
		return fmt.Errorf("%d slots: at least 1 is needed", c.Slots)
	case c.Memory < MinMemory*int64(c.Slots):
		return fmt.Errorf("memory of %d bytes is too little for %d slots: at least %d MiB each", c.Memory, c.Slots, MinMemory>>20)
	case c.Heartbeat*3 > c.Lease:
		return fmt.Errorf("heartbeat of %v is too slow for a lease of %v: at most a third", c.Heartbeat, c.Lease)
	case c.Scratch == "":
		return errors.New("scratch folder is missing")
	case c.Users != nil && c.Users.Count() > 1 && c.Users.Count() < c.Slots:
		return fmt.Errorf("%d users for the programs of %d slots: want one for each slot, or one for all", c.Users.Count(), c.Slots)
	}
	if c.Users != nil {
		if err := c.Users.Check(); err != nil {
			return err
		}
	}
	return nil
}

// MinMemory is the least memory for a slot, in bytes.
const MinMemory = 16 << 20

// A slot writes one object at a time, three parts of which are in memory.
const (
	partShare = 64 // one part in so many of a slot's memory for a part
	maxPart   = 64 << 20
)

// MostPart is how large the parts become, in bytes, of what an executor uploads whose slots have so
// many bytes of memory.
func MostPart(slotMemory int64) int64 { return min(slotMemory/partShare, maxPart) }
