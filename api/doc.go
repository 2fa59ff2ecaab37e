// Package api has the types of the HTTP API, which server/openapi.yaml describes: jobs, tasks,
// attempts, events, objects, and the problems that every unsuccessful answer contains.
//
// Package client speaks the API, package server serves it. This package and client import only the
// standard library and the types of packages job and layout.
package api
