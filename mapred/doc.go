// Package mapred is what a user's Go program imports, and the few types that every
// part of the data path shares. It needs only the standard library.
//
// Records travel in blocks, never one call each. A block is records back to back, each
//
//	uvarint(len(key)) uvarint(len(value)) key value
//
// and that one encoding is used everywhere: an [Emitter] fills blocks, the shuffle sorts
// and stores them, the merge produces them, a framed program reads and writes them, and
// [Groups] turns sorted blocks into keys with their values.
//
// Keys and values are any bytes. Keys sort as unsigned bytes.
package mapred
