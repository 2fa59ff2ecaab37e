// Package layout says where a job's objects are, on the work store and in the output folder, and
// what the small ones among them contain: the plan, the description of a part, and _SUCCESS.
//
// Keys are written by controllers and executors and read by both, so they are protocol: a job may
// be planned by one version and finished by another.
package layout
