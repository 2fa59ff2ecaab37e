// Package server is the HTTP API of a cluster, beside its controllers: people and programs do
// everything through it. openapi.yaml describes all of it; package client speaks it.
//
// A Server is stateless. Jobs are in Redis (package state), bytes are on the store (package
// objstore), so any number of servers give the same answers, and a client that was cut off may ask
// another server again: a submission is repeated with its Idempotency-Key, an event stream
// continues after its Last-Event-ID.
//
// A Server reads jobs through [Jobs], a small interface. It changes them by functions of its
// [Config], which a controller implements, and by a few transitions of state.Store.
//
// # Who may do what
//
// Each route requires a role: read, submit or admin; each role includes the ones before it.
// Without configured tokens everybody is an admin. A location in a job or an object's path must be
// in the allow-list, and must not be among the objects that Bucketmill keeps on the work store for
// itself: an admin may read those, nobody may write them. The server never runs user code.
//
// # How requests are bounded
//
// Every body has a size limit and must arrive at a minimum rate; the number of large ones at a time
// is limited; so is the rate of requests of every client address. A refusal is an
// application/problem+json with a permanent code (problem.go has them all). If the source of an
// answer breaks in the middle, the server breaks the connection, so that half a result never looks
// complete.
package server
