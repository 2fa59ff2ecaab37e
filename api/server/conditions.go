package server

import (
	"net/http"

	"github.com/bucketmill/bucketmill/api"
)

// conditions are the headers that make a request depend on the state of an object.
var conditions = []string{"If-Match", "If-None-Match", "If-Unmodified-Since"}

// checkConditions refuses writes under a condition, and writes of a part. The server does not
// support them, and a client that sends such a request wants nothing to happen rather than a write
// without the condition.
func checkConditions(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	for _, header := range conditions {
		if len(r.Header.Values(header)) > 0 {
			return newProblem(api.CodeNotConfigured, "only GET and HEAD support %s", header).WithHint("send the request without this header")
		}
	}
	if len(r.Header.Values("Content-Range")) > 0 {
		return newProblem(api.CodeInvalidRequest, "Content-Range: writing a part of an object is not supported").WithHint("send all of it, without this header")
	}
	return nil
}
