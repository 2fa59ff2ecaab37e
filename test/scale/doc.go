// Package scale measures the cost of the control plane. It runs a job of very many tasks through
// the real controller and the real scripts on a real Redis, with executors that do nothing.
//
//	make scale TASKS=1000000 EXECUTORS=10000
package scale
