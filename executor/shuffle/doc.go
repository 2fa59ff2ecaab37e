// Package shuffle carries records from map attempts to reduce attempts: it partitions, combines,
// sorts and spills them, writes them as one segment file per map attempt, and merges segments of
// many such files back into one sorted stream.
//
//	map:     Emitter blocks -> (combining table) -> arena + index -> sort -> [spill -> merge] -> segment file
//	reduce:  ranged reads -> checked blocks -> loser tree -> (combine) -> sorted record blocks
//
// A [Collector] is the map side, a [Merge] the reduce side. Package segfile has the file, whose
// format is drawn in FORMAT.md. A [SortBuffer] only sorts.
//
// Everything moves as blocks of encoded records (see package record). Both sides stay within a
// fixed budget of memory, whatever the size of their input: a collector spills sorted runs to local
// disk; a merge with too many runs first merges groups of them into runs on local disk.
package shuffle
