// Package jobfile reads a job's Spec from JSON or YAML, strictly: an unknown field, a name that is
// given twice or text that is not UTF-8 is an error that names its place.
package jobfile
