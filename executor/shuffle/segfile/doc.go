// Package segfile reads and writes segment files: the one object that a map attempt writes, with a
// sorted segment for each reducer, and the runs that a merge keeps on local disk. FORMAT.md, in the
// folder above, draws the format.
//
// A [Writer] writes a file, block by block. Its [Manifest], which says where the segments are,
// travels with the attempt's commit. A [Reader] reads one segment by ranged reads that a [Fetcher]
// runs ahead of it. [ReadIndex] finds a file's manifest and note without the commit; [Verify]
// checks every byte of a file.
//
// A reader trusts no byte before its checksum. Damage is a [*CorruptError] that names the place,
// after two more reads of the same range have found the same.
package segfile
