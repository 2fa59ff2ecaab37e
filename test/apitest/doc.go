// Package apitest holds the API against its document, api/server/openapi.yaml, from outside: validators and a linter
// read it, schemathesis sends what it generates from it to a real server, and clients that are generated from it for Go,
// Python and TypeScript run a job each. "make api" gets the tools, at fixed versions, and runs it.
package apitest
