package cost

import (
	"math"
	"time"

	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/objstore"
)

// Job is what the model has to know of a job.
type Job struct {
	Inputs         int            // objects
	Bytes          int64          // of them, as stored
	Reads          int64          // ranged reads that take them in
	Listing        objstore.Stats // what it takes to find them
	Maps, Reducers int            // no reducers: map only
	Pages          int            // of the plan
	Folders        int            // of intermediates and plan
	Program        Program
	ShuffleRatio   float64 // bytes of shuffle for one of input; 0: as the program's kind has it
	Artifacts      int     // files of the program, which are uploaded
	Overwrite      bool
	StoredHandles  bool  // handles of sealed parts are too large for Redis, as those of S3 are
	Executors      int   // each reads the plan and the manifests for itself
	Slots          int   // tasks that run side by side, all executors together
	Cores          int   // that they run on
	SlotMemory     int64 // bytes of buffers of a slot
	// Latency is the wait for the answer to a request.
	Latency time.Duration
	// RequestCost is what a ranged read costs a merge, as shuffle.MergeConfig has it.
	RequestCost int64
}

// Estimate is what the model expects.
type Estimate struct {
	Shuffle  int64 // bytes
	Output   int64 // bytes
	Requests objstore.Stats
	Time     time.Duration
	// Manifest is the size of a map task's manifest, in bytes. Each executor has all of them.
	Manifest int64
}

// Prices are in dollars.
type Prices struct {
	Put float64 // for 1,000 PUT, COPY, POST and LIST requests
	Get float64 // for 1,000 of all others but DELETE, which costs nothing
}

// S3Prices are those of S3 Standard in us-east-1.
var S3Prices = Prices{Put: 0.005, Get: 0.0004}

// Of is what requests cost, in dollars.
func (p Prices) Of(s objstore.Stats) float64 {
	return (float64(s.Puts+s.Lists)*p.Put + float64(s.Gets+s.Heads)*p.Get) / 1000
}

// Sizes that the executor and the controller go by.
const (
	listPage     = 1000    // objects of a listing's page, or keys that one request deletes
	pageTasks    = 500     // map tasks on a page of the plan
	segmentEntry = 7       // bytes of a manifest for a segment
	manifestHead = 12      // bytes of it besides
	mergeShare   = 2       // one part in so many of a slot's memory is the merge's
	rangeBytes   = 8 << 20 // of a ranged read of an input
	parallelGets = 4       // of one task
	startUp      = 100 * time.Millisecond
)

// Expect reckons.
func Expect(j Job) Estimate {
	m, r := int64(j.Maps), int64(j.Reducers)
	e := Estimate{Requests: j.Listing, Output: int64(j.Program.output(float64(j.Bytes)))}
	size, records := j.Program.emits(float64(j.Bytes) / float64(max(1, m)))
	if j.ShuffleRatio > 0 {
		size = float64(j.Bytes) * j.ShuffleRatio / float64(max(1, m))
	}
	s := &e.Requests
	j.planning(s)
	s.Gets += j.Reads
	parts := r
	if r == 0 {
		parts = m
	} else {
		e.Shuffle = int64(size * float64(m))
		e.Manifest = j.shuffling(s, size, records)
	}
	j.publishing(s, parts, e.Output/max(1, parts))
	e.Time = j.time(s)
	return e
}

// planning adds what is asked before the first task.
func (j *Job) planning(s *objstore.Stats) {
	if !j.Overwrite { // is anything there?
		s.Heads++
		s.Lists++
	}
	s.Puts += int64(j.Pages)
	s.Gets += int64(j.Pages) * min(int64(j.Executors), pageTasks, int64(max(1, j.Maps)))
	s.Puts += int64(j.Artifacts)
	s.Gets += int64(j.Artifacts) * min(int64(j.Executors), int64(j.Maps+j.Reducers))
}

// shuffling adds what map tasks write, each so many bytes and records, and reduce tasks read. It
// returns the size of a manifest.
func (j *Job) shuffling(s *objstore.Stats, size, records float64) (manifest int64) {
	m, r := float64(j.Maps), float64(j.Reducers)
	parts := j.parts()
	if size = math.Ceil(size); int64(size) <= parts.After(0) {
		s.Puts += int64(j.Maps)
	} else {
		s.Puts += int64(j.Maps) * (2 + parts.Count(int64(size)))
		s.Heads += int64(j.Maps) // what became of the upload?
	}
	filled := r * (1 - math.Exp(-records/r)) // segments that are not empty
	run := size / max(1, filled)
	// A reducer has one run of each map task whose segment for it isn't empty.
	runs := int(math.Ceil(m * filled / r))
	reads, _ := shuffle.Reads(runs, int64(run), j.SlotMemory/mergeShare, j.RequestCost)
	s.Gets += int64(m * filled * float64(reads) / float64(max(1, runs)))
	manifest = manifestHead + int64(filled*segmentEntry+(r-filled))
	if manifest > executor.InlineManifest {
		s.Puts += int64(j.Maps)
		s.Gets += int64(j.Maps) * min(int64(j.Executors), int64(j.Reducers))
	}
	return manifest
}

// publishing adds what the output of so many parts, each of that size, takes, and what is left to be
// tidied up.
func (j *Job) publishing(s *objstore.Stats, parts, size int64) {
	s.Puts += parts * (2 + j.parts().Count(size)) // an upload is begun, filled and completed
	s.Heads += parts                              // is the object that is there the upload's?
	if j.StoredHandles {
		s.Puts += parts
		s.Gets += parts
	}
	s.Puts++ // _SUCCESS
	s.Gets++ // whose is one that is there?
	if j.Overwrite {
		s.Gets++ // and when the job was planned?
		s.Deletes++
		s.Lists += 2 // what is there that this job doesn't replace: parts, skipped records
	}
	s.Lists += 2                    // uploads of parts that nobody knows of
	s.Lists += 2 * int64(j.Folders) // the same of segments
	tidy := func(folders, objects int64) {
		pages := (objects + listPage - 1) / listPage
		s.Lists += max(folders, pages)
		s.Deletes += max(min(folders, objects), pages)
	}
	tidy(1, int64(j.Pages))
	tidy(int64(j.Folders-1), j.objects(parts))
}

// objects is how many objects there are besides the plan and the output, of so many parts.
func (j *Job) objects(parts int64) (n int64) {
	if j.Reducers > 0 {
		n += int64(j.Maps)
	}
	if j.StoredHandles {
		n += parts
	}
	return n
}

// parts is how large the parts are that executors upload.
func (j *Job) parts() objstore.PartSizes {
	return objstore.PartSizes{Most: executor.MostPart(j.SlotMemory)}
}

// time is how long the job takes: the work of the cores, and the waits for answers, of which a task has
// some at a time.
func (j *Job) time(s *objstore.Stats) time.Duration {
	busy := float64(min(j.Slots, j.Cores, max(1, j.Maps)))
	work := float64(j.Bytes) / j.Program.Rate / busy
	waits := float64(s.Gets)/parallelGets + float64(s.Puts)
	waiting := waits * j.Latency.Seconds() / float64(max(1, j.Slots))
	return startUp + time.Duration((work+waiting)*float64(time.Second))
}
