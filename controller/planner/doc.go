// Package planner finds the objects that a job reads and cuts them into map tasks.
//
// [Cut] is what a controller plans a job with, and [PreviewJob] what a client asks beforehand. Both
// only read: they list inputs, and change nothing. [CheckOverlap] compares a job's output with its
// inputs, without any request.
package planner
