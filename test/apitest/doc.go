// Package apitest compares the HTTP API with its document, api/server/openapi.yaml, from outside.
// Validators and linters read the document. Schemathesis generates requests from it and sends them
// to a real server. Clients for Go, Python and TypeScript are generated from it, and each runs a
// job. "make api" installs the tools, at fixed versions, and runs the tests.
package apitest
