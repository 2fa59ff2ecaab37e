package layout

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/job"
)

// Layout says where a job's objects lie on the work store, below a prefix. Keys that are
// written at a high rate start with a hash digit, so that stores which partition by prefix
// can spread them, and carry the attempt, so that no two writers ever share one.
type Layout struct {
	Prefix string // without slashes at its ends; may be empty
	Job    job.ID
	Spread int // number of hash prefixes, 1 to 16
}

// SpreadFor is the Spread for a job of so many tasks: one LIST finds all of a small one.
func SpreadFor(tasks int) int {
	if tasks <= 1000 {
		return 1
	}
	return maxSpread
}

// maxSpread is the most hash prefixes that a job has.
const maxSpread = 16

// Segment is the key of the object that a map attempt writes.
func (l Layout) Segment(a job.AttemptID) string { return l.spread(a.Task) + l.claim(a) + ".seg" }

// Segments is the prefix of the objects that attempts at a map task have written.
func (l Layout) Segments(t job.TaskID) string { return l.spread(t) }

// Manifest is the key of an attempt's manifest when it is too large for Redis.
func (l Layout) Manifest(a job.AttemptID) string { return l.spread(a.Task) + l.claim(a) + ".manifest" }

// Skipped is the key of the records that an attempt has set aside.
func (l Layout) Skipped(a job.AttemptID) string {
	return l.join(fmt.Sprintf("jobs/%s/skipped/%s.%s.jsonl", l.Job, a.Task, l.claim(a)))
}

// PlanPage is the key of a page of the plan. Pages tells plannings apart: when two controllers
// plan a job at once, one of them starts it, and the other's pages must not replace that one's.
func (l Layout) PlanPage(pages string, page int) string {
	return fmt.Sprintf("%s%05d", l.PlanFolder(pages), page)
}

// PlanFolder is the prefix of a planning's pages.
func (l Layout) PlanFolder(pages string) string { return l.PlanFolders() + pages + "/" }

// PlanFolders is the prefix of the pages of all plannings.
func (l Layout) PlanFolders() string { return l.join(fmt.Sprintf("jobs/%s/plan-", l.Job)) }

// Bounds is the key of partition bounds, which are named by a hash of what they are.
func (l Layout) Bounds(pages, name string) string { return l.BoundsPrefix(pages) + name }

// BoundsPrefix is what the keys of all bounds that were made for a plan begin with.
func (l Layout) BoundsPrefix(pages string) string { return l.PlanFolder(pages) + "bounds-" }

// Record is the key of what it takes to submit the job again.
func (l Layout) Record() string { return l.JobFolders() + string(l.Job) + "/job.json" }

// Planned is the key of what says by which plan the job was started.
func (l Layout) Planned() string { return l.JobFolders() + string(l.Job) + "/plan.json" }

// JobFolders is the prefix of all jobs' records, plans and programs.
func (l Layout) JobFolders() string { return l.join("jobs/") }

// SpreadFolders are the prefixes of all jobs' segments and manifests.
func (l Layout) SpreadFolders() []string {
	folders := make([]string, maxSpread)
	for digit := range folders {
		folders[digit] = l.join(fmt.Sprintf("%x/", digit))
	}
	return folders
}

// LogFolders is the prefix of all jobs' logs.
func (l Layout) LogFolders() string { return l.join("logs/") }

// Folders are the prefixes below which every object of the job lies.
func (l Layout) Folders() []string {
	folders := []string{l.join(fmt.Sprintf("jobs/%s/", l.Job))}
	for digit := range l.Spread {
		folders = append(folders, l.join(fmt.Sprintf("%x/%s/", digit, l.Job)))
	}
	return folders
}

// Owned returns the folder of the work store, with a slash at its end, in which a key is that only Bucketmill itself
// reads and writes, whichever the job: "jobs/", "logs/" or that of a hash digit, below the prefix. It is "" for any
// other key. Slashes that follow one another count as one, as a store may have it that keeps objects as files.
func (l Layout) Owned(key string) string {
	key = strings.TrimLeft(key, "/")
	if strings.Contains(key, "//") {
		key = slashes.ReplaceAllString(key, "/")
	}
	base := l.join("")
	below, ok := strings.CutPrefix(key, base)
	if !ok {
		return ""
	}
	folder, _, _ := strings.Cut(below, "/")
	if folder == "jobs" || folder == "logs" || len(folder) == 1 && strings.Contains(hexDigits, folder) {
		return base + folder + "/"
	}
	return ""
}

var slashes = regexp.MustCompile(`//+`)

const hexDigits = "0123456789abcdef"

// spread is what the keys of all attempts at a task begin with.
func (l Layout) spread(t job.TaskID) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(string(l.Job) + "/" + t.String())) // a hash takes every write
	return l.join(fmt.Sprintf("%x/%s/%s.", int(h.Sum32())%l.Spread, l.Job, t))
}

// claim tells an attempt's keys from those of another claim of the same number.
func (l Layout) claim(a job.AttemptID) string {
	return strconv.Itoa(a.Number) + "-" + strconv.FormatInt(a.Claimed, 36)
}

// ParseSegment reads the attempt at a task from the key of its segment; false for any other key.
func (l Layout) ParseSegment(t job.TaskID, key string) (job.AttemptID, bool) {
	name, ok := strings.CutPrefix(key, l.Segments(t))
	number, claimed, ok2 := strings.Cut(strings.TrimSuffix(name, ".seg"), "-")
	n, err := strconv.Atoi(number)
	if err != nil {
		return job.AttemptID{}, false
	}
	at, err := strconv.ParseInt(claimed, 36, 64)
	a := job.AttemptID{Job: l.Job, Task: t, Number: n, Claimed: at}
	return a, ok && ok2 && err == nil && l.Segment(a) == key
}

func (l Layout) join(key string) string {
	return strings.TrimPrefix(l.Prefix+"/"+key, "/")
}

// Program is the key of the job's artifact.
func (l Layout) Program(name string) string {
	return l.join(fmt.Sprintf("jobs/%s/program/%s", l.Job, name))
}

// LogFolder is the prefix of the attempts' logs, which outlive the job's other objects.
func (l Layout) LogFolder() string { return l.LogFolders() + string(l.Job) + "/" }

// Log is the key of an attempt's log.
func (l Layout) Log(a job.AttemptID) string { return l.LogFolder() + a.Name() + ".log" }
