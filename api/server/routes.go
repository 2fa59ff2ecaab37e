package server

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

// route is one entry of the API. openapi.yaml has the same entries; a test compares the two.
type route struct {
	method string
	path   string // as echo writes it
	role   Role   // the lowest that it requires
	handle echo.HandlerFunc
	query  []string // the query parameters that it accepts
}

func (s *Server) routes() []route {
	return []route{
		{http.MethodPost, "/v1/jobs", RoleSubmit, s.submitJob, nil},
		{http.MethodGet, "/v1/jobs", RoleRead, s.listJobs, []string{"state", "name", "limit", "cursor"}},
		{http.MethodGet, "/v1/jobs/:id", RoleRead, s.getJob, nil},
		{http.MethodDelete, "/v1/jobs/:id", RoleSubmit, s.deleteJob, nil},
		{http.MethodPost, "/v1/jobs/:id/cancel", RoleSubmit, s.cancelJob, nil},
		{http.MethodPost, "/v1/jobs/:id/retry", RoleSubmit, s.retryJob, nil},
		{http.MethodGet, "/v1/jobs/:id/counters", RoleRead, s.getCounters, nil},
		{http.MethodGet, "/v1/jobs/:id/events", RoleRead, s.followJob, []string{"after"}},
		{http.MethodGet, "/v1/jobs/:id/results", RoleRead, s.getResults, []string{"part"}},
		{http.MethodGet, "/v1/jobs/:id/results/links", RoleRead, s.getResultLinks, []string{"part"}},
		{http.MethodGet, "/v1/jobs/:id/tasks", RoleRead, s.listTasks, []string{"side", "offset", "limit"}},
		{http.MethodGet, "/v1/jobs/:id/tasks/:task/attempts/:number/log", RoleRead, s.getLog, nil},

		{http.MethodGet, "/v1/active", RoleRead, s.listActive, nil},
		{http.MethodGet, "/v1/executors", RoleRead, s.listExecutors, nil},

		{http.MethodGet, "/v1/objects", RoleRead, s.listBuckets, nil},
		{http.MethodGet, "/v1/objects/:bucket", RoleRead, s.listObjects, []string{"prefix", "after", "limit"}},
		{http.MethodPut, "/v1/objects/:bucket", RoleSubmit, s.makeBucket, nil},
		{http.MethodGet, "/v1/objects/:bucket/*", RoleRead, s.getObject, nil},
		{http.MethodHead, "/v1/objects/:bucket/*", RoleRead, s.getObject, nil},
		{http.MethodPut, "/v1/objects/:bucket/*", RoleSubmit, s.putObject, nil},
		{http.MethodPost, "/v1/objects/:bucket/*", RoleSubmit, s.presignObject, []string{"presign"}},
		{http.MethodDelete, "/v1/objects/:bucket/*", RoleAdmin, s.deleteObject, nil},

		{http.MethodGet, "/v1/openapi.json", RoleNone, s.openapi.json, nil},
		{http.MethodGet, "/v1/openapi.yaml", RoleNone, s.openapi.yaml, nil},
		{http.MethodGet, "/healthz", RoleNone, s.healthy, nil},
		{http.MethodGet, "/readyz", RoleNone, s.ready, nil},
		{http.MethodGet, "/metrics", RoleRead, s.metrics.handle, nil},
	}
}

// withHeads adds HEAD to every route of GET that has none. Package http does not send the bodies.
func withHeads(routes []route) []route {
	for _, r := range slices.Clone(routes) {
		head := r
		head.method = http.MethodHead
		there := slices.ContainsFunc(routes, func(o route) bool { return o.method == head.method && o.path == head.path })
		if r.method == http.MethodGet && !there {
			routes = append(routes, head)
		}
	}
	return routes
}
