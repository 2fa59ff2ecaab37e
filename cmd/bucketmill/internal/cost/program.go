// Package cost reckons what a job will ask of its store, how much passes its shuffle, and how long
// it takes, from its plan. docs/cost-model.md says by what formulas, and on what assumptions.
package cost

import (
	"math"

	"github.com/bucketmill/bucketmill/executor/program"
)

// Program is what the model assumes of a program.
type Program struct {
	Name string // of its kind, for people
	// Rate is how many bytes of input a core takes from their read to the output, in a second.
	Rate float64
	// Ratio is how many bytes pass the shuffle, compressed, for one of input, if nothing is combined.
	Ratio float64
	// Combines says that records of one key become one, so that only different keys count.
	Combines bool
	// Output is how many bytes of output there are for one of input, if nothing is combined.
	Output float64
}

// The kinds of programs. Rates are those of docs/benchmarks.md, rounded down; where there is none,
// they are guesses.
var (
	combining = Program{Name: "builtin that combines", Rate: 85e6, Combines: true}
	copying   = Program{Name: "builtin that keeps all records", Rate: 70e6, Ratio: 0.4, Output: 1}
	selecting = Program{Name: "builtin that keeps few records", Rate: 1000e6, Ratio: 0.001, Output: 0.001}
	indexing  = Program{Name: "builtin that keeps most records", Rate: 30e6, Ratio: 0.5, Output: 1}
	scripted  = Program{Name: "Python file, taken to combine", Rate: 10e6, Combines: true}
	streamed  = Program{Name: "commands, taken to combine", Rate: 8e6, Combines: true}
	framed    = Program{Name: "executable, taken to combine", Rate: 30e6, Combines: true}
)

// Of finds a program's kind. Whether a file of the user's combines can't be known before it runs.
func Of(kind program.Kind, name string, t program.Traits) Program {
	switch {
	case kind == program.Python:
		return scripted
	case kind == program.Stream:
		return streamed
	case kind == program.Exec:
		return framed
	case name == "grep":
		return selecting
	case t.Identity:
		return copying
	case t.Combine.Columns != nil:
		return combining
	}
	return indexing
}

// What is assumed of the text that a combining program counts: words of 6 bytes, with the blank; of
// n words 120·√n are different (Heaps' law, fitted to "bucketmill generate text"); and a record
// takes 9.4 bytes in a compressed segment, and 11 as a line of output.
const (
	wordBytes   = 6
	heapsFactor = 120
	recordBytes = 9.4
	lineBytes   = 11
)

// keptRecord is the length assumed of a record that isn't combined, in bytes.
const keptRecord = 100

// different is how many different keys so many bytes of input have.
func different(bytes float64) float64 {
	n := bytes / wordBytes
	return min(n, heapsFactor*math.Sqrt(n))
}

// emits is how much a map task with so many bytes of input puts into its segments.
func (p Program) emits(bytes float64) (size, records float64) {
	if p.Combines {
		records = different(bytes)
		return records * recordBytes, records
	}
	return bytes * p.Ratio, bytes / keptRecord * min(1, p.Output)
}

// output is the size of the whole output for so many bytes of input.
func (p Program) output(bytes float64) float64 {
	if p.Combines {
		return different(bytes) * lineBytes
	}
	return bytes * p.Output
}
