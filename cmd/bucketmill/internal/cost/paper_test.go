package cost

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/objstore"
)

// The memory of a job's state in Redis, as measured in state/PROTOCOL.md.
const (
	redisPerTask    = 180 // bytes of a committed task
	redisPerRunning = 300 // additional bytes while an attempt runs
	redisPerName    = 60  // additional bytes for the key of a stored manifest; computed
)

// The requests that a controller sends at the same time for a job, the time of an answer, and the
// tasks that Redis handles in a second.
const (
	controllerAtOnce = 32
	answerTime       = 50 * time.Millisecond // of S3, to a write
	tasksPerSecond   = 5000                  // claims and commits of one Redis; computed from 0.2 ms for both
)

// paperCluster is the cluster of CloudSort's record of 2022 (Exoshuffle): 40 machines of 16 cores.
const (
	paperBytes    = 100e12
	paperMachines = 40
	paperSlots    = 16
	paperMemory   = 4 << 30 // of a slot
	paperDollars  = 97      // for machines, disks and requests
)

// paperPlan is a way to cut 100 TB.
type paperPlan struct {
	name           string
	maps, reducers int
}

var paperPlans = []paperPlan{
	{"64 MiB, 19,531 reducers", 1_490_117, 19_531},
	{"the defaults", 19_531, 19_531},
	{"2 GB and 4 GB, as CloudSort's winner", 50_000, 25_000},
	{"10 GB each", 10_000, 10_000},
	{"25 GB each", 4_000, 4_000},
}

// job is the sort of 100 TB.
func (p paperPlan) job() Job {
	return Job{
		Inputs: 50_000, Bytes: paperBytes, Reads: int64(math.Ceil(paperBytes / float64(rangeBytes))), Listing: objstore.Stats{Lists: 50},
		Maps: p.maps, Reducers: p.reducers, Pages: (p.maps + pageTasks - 1) / pageTasks, Folders: 17,
		Program: copying, StoredHandles: true, Executors: paperMachines, Slots: paperMachines * paperSlots,
		Cores: paperMachines * paperSlots, SlotMemory: paperMemory, Latency: 15 * time.Millisecond, RequestCost: executor.RequestCost("s3://bucket"),
	}
}

// paperTable returns a Markdown table of the cost of a sort of 100 TB by this model.
func paperTable() string {
	var b strings.Builder
	b.WriteString("| splits and parts | tasks | GET | PUT | LIST | requests | $ per TB | Redis | manifests in each executor | controller | Redis at work |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, p := range paperPlans {
		e := Expect(p.job())
		tasks := p.maps + p.reducers
		dollars := S3Prices.Of(e.Requests)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | $%s | $%.2f | %s | %s | %s | %s |\n", p.name,
			humanize.Comma(int64(tasks)), millions(e.Requests.Gets), millions(e.Requests.Puts), humanize.Comma(e.Requests.Lists),
			humanize.Comma(int64(dollars+0.5)), dollars/(paperBytes/1e12),
			humanize.IBytes(uint64(redisMemory(tasks))), humanize.IBytes(uint64(int64(p.maps)*e.Manifest)),
			controllerWork(p, e).Round(time.Second), (time.Duration(tasks) * time.Second / tasksPerSecond).Round(time.Second))
	}
	fmt.Fprintf(&b, "\nCloudSort's winner paid $%d, $%.2f per TB, for everything: machines, disks and requests.\n", paperDollars, paperDollars/(paperBytes/1e12))
	return b.String()
}

func millions(n int64) string {
	if n >= 1e9 {
		return fmt.Sprintf("%.1f billion", float64(n)/1e9)
	}
	return fmt.Sprintf("%.1f million", float64(n)/1e6)
}

// redisMemory returns the largest size of a job's state, in bytes: if all tasks are committed
// except those that run, and every manifest is stored.
func redisMemory(tasks int) int64 {
	return int64(tasks)*(redisPerTask+redisPerName) + paperMachines*paperSlots*redisPerRunning
}

// controllerWork returns the duration of the controller's requests: pages of the plan, completions
// of parts, with a read of the handle before each and a HEAD of the object after it, listings and
// deletions.
func controllerWork(p paperPlan, e Estimate) time.Duration {
	sideBySide := int64(p.job().Pages) + 3*int64(p.reducers)
	return time.Duration(sideBySide)*answerTime/controllerAtOnce + time.Duration(e.Requests.Lists+e.Requests.Deletes)*answerTime
}
