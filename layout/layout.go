package layout

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/job"
)

// Layout gives the keys of a job's objects on the work store, below a prefix. Keys that are written
// at a high rate start with a hash digit, so that stores that partition by prefix can spread them,
// and contain the attempt, so that no two writers share a key.
type Layout struct {
	Prefix string // without slashes at its ends; may be empty
	Job    job.ID
	Spread int // number of hash prefixes, 1 to 16
}

// SpreadFor returns the Spread for a job by its number of tasks: one LIST finds all objects of a
// small job.
func SpreadFor(tasks int) int {
	if tasks <= 1000 {
		return 1
	}
	return maxSpread
}

// maxSpread is the highest number of hash prefixes of a job.
const maxSpread = 16

// Segment returns the key of a map attempt's segment file.
func (l Layout) Segment(a job.AttemptID) string { return l.spread(a.Task) + l.claim(a) + ".seg" }

// Segments returns the prefix of the segment files of all attempts at a map task.
func (l Layout) Segments(t job.TaskID) string { return l.spread(t) }

// Manifest returns the key of an attempt's manifest, if the manifest is too large for Redis.
func (l Layout) Manifest(a job.AttemptID) string { return l.spread(a.Task) + l.claim(a) + ".manifest" }

// Skipped returns the key of the bad records that an attempt has saved.
func (l Layout) Skipped(a job.AttemptID) string {
	return l.join(fmt.Sprintf("jobs/%s/skipped/%s.%s.jsonl", l.Job, a.Task, l.claim(a)))
}

// PlanPage returns the key of a page of the plan. Pages identifies the planning: when two
// controllers plan a job at the same time, one of them starts the job, and the other's pages must
// not replace its pages.
func (l Layout) PlanPage(pages string, page int) string {
	return fmt.Sprintf("%s%05d", l.PlanFolder(pages), page)
}

// PlanFolder returns the prefix of a planning's pages.
func (l Layout) PlanFolder(pages string) string { return l.PlanFolders() + pages + "/" }

// PlanFolders returns the prefix of the pages of all plannings.
func (l Layout) PlanFolders() string { return l.join(fmt.Sprintf("jobs/%s/plan-", l.Job)) }

// Bounds returns the key of partition bounds. Their name is a hash of their content.
func (l Layout) Bounds(pages, name string) string { return l.BoundsPrefix(pages) + name }

// BoundsPrefix returns the prefix of the keys of all bounds that belong to a plan.
func (l Layout) BoundsPrefix(pages string) string { return l.PlanFolder(pages) + "bounds-" }

// Record returns the key of the job's record, from which the job can be submitted again.
func (l Layout) Record() string { return l.JobFolders() + string(l.Job) + "/job.json" }

// Planned returns the key of the object that names the plan by which the job was started.
func (l Layout) Planned() string { return l.JobFolders() + string(l.Job) + "/plan.json" }

// JobFolders returns the prefix of all jobs' records, plans and programs.
func (l Layout) JobFolders() string { return l.join("jobs/") }

// SpreadFolders returns the prefixes of all jobs' segment files and manifests.
func (l Layout) SpreadFolders() []string {
	folders := make([]string, maxSpread)
	for digit := range folders {
		folders[digit] = l.join(fmt.Sprintf("%x/", digit))
	}
	return folders
}

// LogFolders returns the prefix of all jobs' logs.
func (l Layout) LogFolders() string { return l.join("logs/") }

// Folders returns the prefixes of all objects of the job, except its logs.
func (l Layout) Folders() []string {
	folders := []string{l.join(fmt.Sprintf("jobs/%s/", l.Job))}
	for digit := range l.Spread {
		folders = append(folders, l.join(fmt.Sprintf("%x/%s/", digit, l.Job)))
	}
	return folders
}

// Owned returns the folder that contains key, with a slash at its end, if only Bucketmill itself
// reads and writes that folder, for whichever job: "jobs/", "logs/" or the folder of a hash digit,
// below the prefix. For any other key it returns "". Adjacent slashes count as one, as in a store
// that keeps objects as files.
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

// spread returns the prefix of the keys of all attempts at a task.
func (l Layout) spread(t job.TaskID) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(string(l.Job) + "/" + t.String())) // a hash takes every write
	return l.join(fmt.Sprintf("%x/%s/%s.", int(h.Sum32())%l.Spread, l.Job, t))
}

// claim distinguishes an attempt's keys from those of another claim with the same number.
func (l Layout) claim(a job.AttemptID) string {
	return strconv.Itoa(a.Number) + "-" + strconv.FormatInt(a.Claimed, 36)
}

// ParseSegment returns the attempt at a task that wrote the segment file with that key; false for
// any other key.
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

// Program returns the key of the job's artifact.
func (l Layout) Program(name string) string {
	return l.join(fmt.Sprintf("jobs/%s/program/%s", l.Job, name))
}

// LogFolder returns the prefix of the attempts' logs, which outlive the job's other objects.
func (l Layout) LogFolder() string { return l.LogFolders() + string(l.Job) + "/" }

// Log returns the key of an attempt's log.
func (l Layout) Log(a job.AttemptID) string { return l.LogFolder() + a.Name() + ".log" }
