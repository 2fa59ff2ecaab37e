package cost

import (
	"math"
	"time"

	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/objstore"
)

// Job is what the model needs to know about a job.
type Job struct {
	Inputs         int            // objects
	Bytes          int64          // of the inputs, as stored
	Reads          int64          // ranged reads of the inputs
	Listing        objstore.Stats // requests that find the inputs
	Maps, Reducers int            // no reducers: map only
	Pages          int            // of the plan
	Folders        int            // of intermediates and plan
	Program        Program
	ShuffleRatio   float64 // bytes of shuffle per byte of input; 0: depends on the kind of program
	Artifacts      int     // files of the program, which are uploaded
	Overwrite      bool
	StoredHandles  bool  // handles of sealed parts are too large for Redis, like those of S3
	Executors      int   // each reads the plan and the manifests
	Slots          int   // tasks that run at the same time, on all executors
	Cores          int   // of all executors
	SlotMemory     int64 // bytes of buffers of a slot
	// Latency is the wait for the answer to a request.
	Latency time.Duration
	// RequestCost is what a ranged read costs a merge; see shuffle.MergeConfig.
	RequestCost int64
}

// Estimate is the expected cost of a job.
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
	Get float64 // for 1,000 of all others, except DELETE, which costs nothing
}

// S3Prices are the prices of S3 Standard in us-east-1.
var S3Prices = Prices{Put: 0.005, Get: 0.0004}

// Of returns the price of requests, in dollars.
func (p Prices) Of(s objstore.Stats) float64 {
	return (float64(s.Puts+s.Lists)*p.Put + float64(s.Gets+s.Heads)*p.Get) / 1000
}

// Sizes that the executor and the controller use.
const (
	listPage     = 1000    // objects on a page of a listing, or keys in a request that deletes
	pageTasks    = 500     // map tasks on a page of the plan
	segmentEntry = 7       // bytes of a manifest per segment
	manifestHead = 12      // other bytes of a manifest
	mergeShare   = 2       // a merge gets 1/mergeShare of a slot's memory
	rangeBytes   = 8 << 20 // of a ranged read of an input
	parallelGets = 4       // of one task
	startUp      = 100 * time.Millisecond
)

// Expect estimates the cost of a job.
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

// planning adds the requests before the first task.
func (j *Job) planning(s *objstore.Stats) {
	if !j.Overwrite { // does an output exist?
		s.Heads++
		s.Lists++
	}
	s.Puts += int64(j.Pages)
	s.Gets += int64(j.Pages) * min(int64(j.Executors), pageTasks, int64(max(1, j.Maps)))
	s.Puts += int64(j.Artifacts)
	s.Gets += int64(j.Artifacts) * min(int64(j.Executors), int64(j.Maps+j.Reducers))
}

// shuffling adds the requests with which map tasks write segment files of this size and number of
// records, and reduce tasks read them. It returns the size of a manifest.
func (j *Job) shuffling(s *objstore.Stats, size, records float64) (manifest int64) {
	m, r := float64(j.Maps), float64(j.Reducers)
	parts := j.parts()
	if size = math.Ceil(size); int64(size) <= parts.After(0) {
		s.Puts += int64(j.Maps)
	} else {
		s.Puts += int64(j.Maps) * (2 + parts.Count(int64(size)))
		s.Heads += int64(j.Maps) // did the upload make the object?
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

// publishing adds the requests that write an output of this number of parts of this size, and those
// of the clean-up.
func (j *Job) publishing(s *objstore.Stats, parts, size int64) {
	s.Puts += parts * (2 + j.parts().Count(size)) // an upload is begun, filled and completed
	s.Heads += parts                              // did the upload make the object?
	if j.StoredHandles {
		s.Puts += parts
		s.Gets += parts
	}
	s.Puts++ // _SUCCESS
	s.Gets++ // which job wrote an existing one?
	if j.Overwrite {
		s.Gets++ // the same when the job is planned
		s.Deletes++
		s.Lists += 2 // parts and skipped records that this job does not replace
	}
	s.Lists += 2                    // forgotten uploads of parts
	s.Lists += 2 * int64(j.Folders) // forgotten uploads of segment files
	tidy := func(folders, objects int64) {
		pages := (objects + listPage - 1) / listPage
		s.Lists += max(folders, pages)
		s.Deletes += max(min(folders, objects), pages)
	}
	tidy(1, int64(j.Pages))
	tidy(int64(j.Folders-1), j.objects(parts))
}

// objects returns the number of objects besides the plan and the output, which has this number of
// parts.
func (j *Job) objects(parts int64) (n int64) {
	if j.Reducers > 0 {
		n += int64(j.Maps)
	}
	if j.StoredHandles {
		n += parts
	}
	return n
}

// parts returns the sizes of executors' upload parts.
func (j *Job) parts() objstore.PartSizes {
	return objstore.PartSizes{Most: executor.MostPart(j.SlotMemory)}
}

// time returns the duration of the job: the work of the cores, and the waits for answers. A task
// waits for several answers at the same time.
func (j *Job) time(s *objstore.Stats) time.Duration {
	busy := float64(min(j.Slots, j.Cores, max(1, j.Maps)))
	work := float64(j.Bytes) / j.Program.Rate / busy
	waits := float64(s.Gets)/parallelGets + float64(s.Puts)
	waiting := waits * j.Latency.Seconds() / float64(max(1, j.Slots))
	return startUp + time.Duration((work+waiting)*float64(time.Second))
}
