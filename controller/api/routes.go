package api

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// route is one entry of the API. openapi.yaml has the same ones; a test holds the two together.
type route struct {
	method string
	path   string // as echo writes it
	role   Role   // the least that it takes
	handle echo.HandlerFunc
}

func (s *Server) routes() []route {
	return []route{
		{http.MethodPost, "/v1/jobs", RoleSubmit, s.submitJob},
		{http.MethodGet, "/v1/jobs", RoleRead, s.listJobs},
		{http.MethodGet, "/v1/jobs/:id", RoleRead, s.getJob},
		{http.MethodPost, "/v1/jobs/:id/cancel", RoleSubmit, s.cancelJob},
		{http.MethodPost, "/v1/jobs/:id/retry", RoleSubmit, s.retryJob},
		{http.MethodGet, "/v1/jobs/:id/counters", RoleRead, s.getCounters},
		{http.MethodGet, "/v1/jobs/:id/events", RoleRead, s.followJob},
		{http.MethodGet, "/v1/jobs/:id/results", RoleRead, s.getResults},
		{http.MethodGet, "/v1/jobs/:id/tasks", RoleRead, s.listTasks},
		{http.MethodGet, "/v1/jobs/:id/tasks/:task/attempts/:number/log", RoleRead, s.getLog},

		{http.MethodGet, "/v1/active", RoleRead, s.listActive},
		{http.MethodGet, "/v1/executors", RoleRead, s.listExecutors},

		{http.MethodGet, "/v1/objects/:bucket", RoleRead, s.listObjects},
		{http.MethodPut, "/v1/objects/:bucket", RoleSubmit, s.makeBucket},
		{http.MethodGet, "/v1/objects/:bucket/*", RoleRead, s.getObject},
		{http.MethodHead, "/v1/objects/:bucket/*", RoleRead, s.getObject},
		{http.MethodPut, "/v1/objects/:bucket/*", RoleSubmit, s.putObject},
		{http.MethodPost, "/v1/objects/:bucket/*", RoleSubmit, s.presignObject},
		{http.MethodDelete, "/v1/objects/:bucket/*", RoleAdmin, s.deleteObject},

		{http.MethodGet, "/v1/openapi.json", RoleNone, s.openapi.json},
		{http.MethodGet, "/v1/openapi.yaml", RoleNone, s.openapi.yaml},
		{http.MethodGet, "/healthz", RoleNone, s.healthy},
		{http.MethodGet, "/readyz", RoleNone, s.ready},
		{http.MethodGet, "/metrics", RoleRead, s.metrics.handle},
	}
}
