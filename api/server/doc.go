// Package server is the HTTP interface of a controller: everything that people and programs do
// with a cluster goes through it. openapi.yaml describes it whole; package client speaks it.
//
// A Server is stateless. Jobs are in Redis (package state), bytes are on the
// store (package objstore), so any number of servers answer alike, and a client that was cut
// off may ask another one again: a submission is repeated by its Idempotency-Key, an event
// stream goes on after its Last-Event-ID.
//
// # Who may do what
//
// Each route asks for a role: read, submit or admin, of which the later include the earlier.
// Without configured tokens everybody is admin. A location in a job or an object's path must
// be within the allow-list, and is never among the objects that Bucketmill keeps on the work
// store for itself: an admin may look at those, nobody may write them. User code is never
// run here.
//
// # How requests are bounded
//
// Every body has a size limit and must arrive at a least rate; large ones take one of a
// number of places; every client address has a rate of requests. What is refused is said in
// application/problem+json with a code that stays (problem.go has them all). An answer whose
// source breaks in the middle breaks the connection, so that half a result never looks whole.
package server
