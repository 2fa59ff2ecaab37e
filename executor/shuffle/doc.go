// Package shuffle carries records from map attempts to reduce attempts: it partitions, combines, sorts
// and spills them, writes them as one object per map attempt, and merges ranges of many such
// objects back into one sorted stream.
//
//	map:     Emitter blocks -> (combining table) -> arena + index -> sort -> [spill -> merge] -> object
//	reduce:  ranged reads -> checked blocks -> loser tree -> (combine) -> sorted record blocks
//
// A [Collector] is the map side, a [Merge] the reduce side. The object's format is drawn in FORMAT.md.
//
// Everything moves as blocks of records in mapred's encoding. Both sides hold a fixed budget of
// memory, whatever the size of their input: a collector spills sorted runs to local disk, a merge
// with too many sources first merges groups of them into local runs.
//
// Nothing that was read is believed before its checksum was: what is wrong with an object comes
// back as a [*CorruptError] that names the place, after two more reads of the same range have
// said the same.
package shuffle
