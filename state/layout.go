package state

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// Layout says where a job's objects lie on the work store, below a prefix. Keys that are
// written at a high rate start with a hash digit, so that stores which partition by prefix
// can spread them, and carry the attempt, so that no two writers ever share one.
type Layout struct {
	Prefix string // without slashes at its ends; may be empty
	Job    JobID
	Spread int // number of hash prefixes, 1 to 16
}

// SpreadFor is the Spread for a job of so many tasks: one LIST finds all of a small one.
func SpreadFor(tasks int) int {
	if tasks <= 1000 {
		return 1
	}
	return 16
}

// Segment is the key of the object that a map attempt writes.
func (l Layout) Segment(a AttemptID) string { return l.spread(a) + ".seg" }

// Manifest is the key of an attempt's manifest when it is too large for Redis.
func (l Layout) Manifest(a AttemptID) string { return l.spread(a) + ".manifest" }

// PlanPage is the key of a page of the plan. Pages tells plannings apart: when two controllers
// plan a job at once, one of them starts it, and the other's pages must not replace that one's.
func (l Layout) PlanPage(pages string, page int) string {
	return l.join(fmt.Sprintf("jobs/%s/plan-%s/%05d", l.Job, pages, page))
}

// Folders are the prefixes below which every object of the job lies.
func (l Layout) Folders() []string {
	folders := []string{l.join(fmt.Sprintf("jobs/%s/", l.Job))}
	for digit := range l.Spread {
		folders = append(folders, l.join(fmt.Sprintf("%x/%s/", digit, l.Job)))
	}
	return folders
}

func (l Layout) spread(a AttemptID) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(a.String())) // a hash takes every write
	return l.join(fmt.Sprintf("%x/%s/%s", int(h.Sum32())%l.Spread, a.Job, a.Name()))
}

func (l Layout) join(key string) string {
	return strings.TrimPrefix(l.Prefix+"/"+key, "/")
}

// Program is the key of the job's artifact.
func (l Layout) Program(name string) string {
	return l.join(fmt.Sprintf("jobs/%s/program/%s", l.Job, name))
}

// LogFolder is the prefix of the attempts' logs, which outlive the job's other objects.
func (l Layout) LogFolder() string { return l.join(fmt.Sprintf("logs/%s/", l.Job)) }

// Log is the key of an attempt's log.
func (l Layout) Log(a AttemptID) string { return l.LogFolder() + a.Name() + ".log" }
