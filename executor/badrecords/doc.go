// Package badrecords finds the records on which a program fails, and saves them, so that the rest
// of a task can be done without them.
//
// A task that failed is searched by running its program again over parts of its input ([Find]).
// What to run, and how to read a part, is the task's business ([Units]); [RecordFilter] and
// [GroupFilter] pick the wanted units from batches and blocks. Each record found is written to
// the work store ([Saver]) with the reason why the program failed on it.
package badrecords
