// Package scale runs a job of very many tasks through the real controller and the real scripts on a real
// Redis, with executors that do nothing: what is left is what the control plane costs.
//
//	make scale TASKS=1000000 EXECUTORS=10000
package scale
