// Package job describes jobs: what a user asks for (Spec), the names of jobs, tasks and attempts,
// the states that a user sees, failures, and counters. It knows neither Redis nor the object store,
// and imports only the standard library, so that clients can use its types.
//
// A Spec is parsed once, by package jobfile, and validated once, when a job is submitted. From then
// on it travels as this type.
package job
