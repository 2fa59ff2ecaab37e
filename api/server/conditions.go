package server

import (
	"net/http"

	"github.com/bucketmill/bucketmill/api"
)

// conditions are the headers that make a request depend on what is there.
var conditions = []string{"If-Match", "If-None-Match", "If-Unmodified-Since"}

// checkConditions refuses what would write under a condition, or in part: it is not heard there, and who sends it wants
// nothing to happen rather than all of it.
func checkConditions(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	for _, header := range conditions {
		if len(r.Header.Values(header)) > 0 {
			return newProblem(api.CodeNotConfigured, "%s is heard by GET and HEAD only", header).WithHint("send the request without this header")
		}
	}
	if len(r.Header.Values("Content-Range")) > 0 {
		return newProblem(api.CodeInvalidRequest, "Content-Range: a part of a body is not taken").WithHint("send all of it, without this header")
	}
	return nil
}
