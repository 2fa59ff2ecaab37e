// Package framed runs programs that speak the framed protocol of internal/frames/FRAMES.md:
// executables, and by way of a runner the files of package python.
//
// # How bytes flow
//
//	Map(batch)  ──▶ writer goroutine ──▶ stdin  ┐
//	                                            │ guest
//	Emitter ◀── Map ◀── frames ◀── reader ◀── stdout ┘
//
// Map and Reduce take output while input is being written, so a guest may emit any amount at any
// time. Map returns when the batch is written, not when it is mapped: the guest works while the
// next batch is fetched. An error may therefore belong to an earlier batch; its UserError names the
// record.
package framed
