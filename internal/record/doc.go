// Package record has the types that every part of the data path shares: the encoding of records,
// batches of input records, sorted groups, and columns of numbers.
//
// Records travel in blocks, never one per call. A block is records back to back, each
//
//	uvarint(len(key)) uvarint(len(value)) key value
//
// and the whole data path uses this encoding: an [Emitter] fills blocks, the shuffle sorts and
// stores them, a merge produces them, a framed program reads and writes them, and [Groups] turns
// sorted blocks into keys with their values.
//
// Keys and values are arbitrary bytes. Keys sort as unsigned bytes.
package record
