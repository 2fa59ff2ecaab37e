// Package simulation has nothing but tests: it plays whole clusters (controllers, executors,
// users, Redis and an object store) in one process, thousands of times, each time with other
// faults, and holds what comes out to what was promised. README.md says how it works.
package simulation
