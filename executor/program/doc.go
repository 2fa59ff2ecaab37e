// Package program is the contract between an executor and the programs that it runs.
//
// A [Program] belongs to a job, and any number of attempts may use it at the same time. A [Mapper]
// or a [Reducer] belongs to one attempt and to one goroutine; only Kill may be called from others.
//
// A [Kind] is a way to run programs. Each has a folder below this one, and package kinds has the
// table of all:
//
//	builtin    Go in the executor's process
//	python     a file with map_fn and reduce_fn: the framed protocol, with its own frames
//	framed     an executable that speaks the framed protocol
//	streaming  commands that read and write lines
//
// Package process starts and ends the processes of all but the first one.
//
// # Errors
//
// A [UserError] is the program's fault, and another attempt is not likely to succeed. Any other
// error is ours, the machine's, or the context's.
package program
