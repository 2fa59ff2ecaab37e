// Package output writes the parts of a job's output: records, in blocks, become the bytes of an
// upload that stays invisible until the job is published.
//
//	reducer ──blocks──▶ Writer ──bytes──▶ Part ──▶ upload
//
// A [Format] makes the [Writer] of a part. Each format has a folder below this one, and a line in
// package formats. A [Part] counts and sums the bytes on their way.
package output
