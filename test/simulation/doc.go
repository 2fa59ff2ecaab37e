// Package simulation has only tests. They run whole clusters (controllers, executors, users, Redis
// and an object store) in one process, thousands of times, each time with other faults, and check
// that every promise is kept. README.md says how it works.
package simulation
