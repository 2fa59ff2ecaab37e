// Package tally combines records by key in a hash table of bounded memory. Executors use it in
// front of the sort, and programs in Go before their records leave the process.
package tally
