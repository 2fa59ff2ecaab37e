// Package program runs user code: the builtins in this process, everything else in processes
// of their own. These speak the framed protocol of internal/frames/FRAMES.md, or are commands that read and
// write lines (STREAMING.md).
//
// A [Program] belongs to a job and may be used by any number of attempts at once; a [Mapper]
// or a [Reducer] belongs to one attempt and to one goroutine, but for Kill.
//
// # What an attempt's process gets
//
// A scratch folder as its working folder, HOME and TMPDIR; PATH; a C.UTF-8 locale; nothing
// else of our environment, so neither credentials nor settings. It leads a process group,
// which is killed as a whole when the attempt ends in whatever way, and the kernel kills its
// leader when this process dies; what that leader had started a watcher ends (Scratch.Watch).
//
// # How bytes flow
//
//	Map(batch)  ──▶ writer goroutine ──▶ stdin  ┐
//	                                            │ guest
//	Emitter ◀── Map ◀── frames ◀── reader ◀── stdout ┘
//
// Map and Reduce take output while input is being written, so a guest may emit any amount
// at any time. Map returns when the batch is written, not when it is mapped: the guest works
// while the next batch is fetched. Errors may therefore belong to an earlier batch; a
// [UserError] names the record.
//
// # Errors
//
// A [UserError] is the program's fault, and trying again is not likely to help. Any other
// error is ours, the machine's, or the context's.
package program
