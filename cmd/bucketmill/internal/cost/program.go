// Package cost estimates, from a job's plan, the requests to the store, the bytes of the shuffle
// and the duration of the job. docs/cost-model.md has the formulas and the assumptions.
package cost

import (
	"math"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/job"
)

// Program is what the model assumes about a program.
type Program struct {
	Name string // of the kind, for people
	// Rate is the number of bytes of input per second that a core processes, from the read to the
	// output.
	Rate float64
	// Ratio is the number of compressed bytes in the shuffle per byte of input, if nothing is
	// combined.
	Ratio float64
	// Combines says that the records of a key become one, so that only different keys count.
	Combines bool
	// Output is the number of bytes of output per byte of input, if nothing is combined.
	Output float64
}

// The programs that come with Bucketmill. Rates are from docs/benchmarks.md, rounded down. Without
// a benchmark they are guesses.
var (
	combining = Program{Name: "builtin that combines", Rate: 85e6, Combines: true}
	copying   = Program{Name: "builtin that keeps all records", Rate: 70e6, Ratio: 0.4, Output: 1}
	selecting = Program{Name: "builtin that keeps few records", Rate: 1000e6, Ratio: 0.001, Output: 0.001}
	indexing  = Program{Name: "builtin that keeps most records", Rate: 30e6, Ratio: 0.5, Output: 1}
)

// Of returns what the model assumes of a program. Whether a user's program combines is unknown
// before it runs.
func Of(kind *job.Kind, name string, t program.Traits) Program {
	switch {
	case kind.Rate > 0:
		return Program{Name: kind.Title + ", assumed to combine", Rate: kind.Rate, Combines: true}
	case name == "grep":
		return selecting
	case t.Identity:
		return copying
	case t.Combine.Columns != nil:
		return combining
	}
	return indexing
}

// Assumptions about the text that a combining program counts: a word has 6 bytes, with the blank; n
// words contain 120·√n different ones (Heaps' law, fitted to "bucketmill generate text"); a record
// takes 9.4 bytes in a compressed segment, and 11 as a line of output.
const (
	wordBytes   = 6
	heapsFactor = 120
	recordBytes = 9.4
	lineBytes   = 11
)

// keptRecord is the assumed length of a record that isn't combined, in bytes.
const keptRecord = 100

// different returns the number of different keys in this number of bytes of input.
func different(bytes float64) float64 {
	n := bytes / wordBytes
	return min(n, heapsFactor*math.Sqrt(n))
}

// emits returns the size and the records of the segments of a map task with this input.
func (p Program) emits(bytes float64) (size, records float64) {
	if p.Combines {
		records = different(bytes)
		return records * recordBytes, records
	}
	return bytes * p.Ratio, bytes / keptRecord * min(1, p.Output)
}

// output returns the size of the whole output for this number of bytes of input.
func (p Program) output(bytes float64) float64 {
	if p.Combines {
		return different(bytes) * lineBytes
	}
	return bytes * p.Output
}
