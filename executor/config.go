package executor

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Config is what an executor needs.
type Config struct {
	ID    job.ExecutorID  // names this process; no two live processes have the same
	Store *state.Store    // control state
	Open  objstore.Opener // for inputs, outputs and the work store
	Work  string          // URL of the work area: plans, programs and segment files; the same for all controllers
	Log   *slog.Logger

	Slots   int    // attempts that run at a time; at least 1
	Memory  int64  // bytes for the buffers of all slots together; at least MinMemory per slot
	Scratch string // folder on local disk for spills and programs, made if missing; no other process may use it

	// Lease is how long an attempt keeps its task after its executor's last heartbeat; default 30s.
	// Heartbeat is the time between two heartbeats; default 5s, at most a third of Lease.
	Lease, Heartbeat time.Duration
	// Limits are how many failures a task may have; zero fields take the defaults.
	Limits state.Limits
	// Kinds are the kinds of programs that the executor runs; nil: those of package kinds.
	Kinds program.Kinds
	// Program says how user programs run.
	Program program.Config
	// ProgramMemory is how much data each process of a program may have in memory, in bytes; 0: no
	// limit.
	ProgramMemory int64
	// Users are the users that programs run as: one for all slots, or one for each slot; nil: the
	// executor's own user.
	Users *process.Users
	// ProgramLog receives what the programs of all attempts write to standard error, in whole
	// lines; nil: nothing does. The end of each attempt's log is kept for failures in any case.
	ProgramLog func(attempt job.AttemptID, line []byte)

	// Grace is how long attempts may continue when the executor is told to stop; then they are
	// handed back. Default 0: at once.
	Grace time.Duration
	// KeepLogs stores every attempt's log on the work store, where it outlives the job.
	KeepLogs bool
	// NoBreaker disables the circuit breaker: the only executor claims tasks however many attempts
	// fail.
	NoBreaker bool
	// Metrics is where the executor registers its metrics; nil: nowhere.
	Metrics prometheus.Registerer
	// Version is shown in the list of executors.
	Version string
}

// withDefaults returns the configuration with the defaults filled in.
func (c Config) withDefaults() Config {
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
	return c
}

// validate returns an error if the executor can't run with this configuration, which has its
// defaults filled in.
func (c Config) validate() error {
	switch {
	case c.ID == "" || strings.ContainsAny(string(c.ID), " \n"):
		return fmt.Errorf("executor id %q is empty or contains spaces", c.ID)
	case c.Slots < 1:
		return fmt.Errorf("%d slots are too few: at least 1 is needed", c.Slots)
	case c.Memory < MinMemory*int64(c.Slots):
		return fmt.Errorf("memory of %d bytes is too little for %d slots: each needs at least %d MiB", c.Memory, c.Slots, MinMemory>>20)
	case c.Heartbeat*3 > c.Lease:
		return fmt.Errorf("heartbeat of %v is too slow for a lease of %v: use at most a third of the lease", c.Heartbeat, c.Lease)
	case c.Scratch == "":
		return errors.New("no scratch folder is given")
	case c.Users != nil && c.Users.Count() > 1 && c.Users.Count() < c.Slots:
		return fmt.Errorf("%d users for the programs of %d slots: use one user for each slot, or one for all", c.Users.Count(), c.Slots)
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

// The size of upload parts. A slot writes one object at a time, and three parts of it are in
// memory.
const (
	partShare = 64 // a part gets a 64th of a slot's memory
	maxPart   = 64 << 20
)

// MostPart returns the largest size of upload parts, in bytes, given a slot's memory in bytes.
func MostPart(slotMemory int64) int64 { return min(slotMemory/partShare, maxPart) }
