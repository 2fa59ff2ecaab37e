package server

import (
	"net/http"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
)

// listExecutors answers GET /v1/executors.
func (s *Server) listExecutors(c echo.Context) error {
	infos, err := s.cfg.Store.Executors(c.Request().Context())
	if err != nil {
		return err
	}
	list := api.ExecutorList{Executors: []api.Executor{}}
	for _, e := range infos {
		list.Executors = append(list.Executors, api.Executor{
			ID: e.ID, Host: e.Host, Version: e.Version, Started: api.TimeOf(e.Started), Seen: api.TimeOf(e.Seen),
			Slots: e.Slots, Draining: e.Draining, Benched: api.TimeOf(e.Benched), Running: append([]string{}, e.Running...),
			CPU: e.CPU, Memory: e.Memory,
		})
	}
	return c.JSON(http.StatusOK, list)
}
