package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/job"
)

// Executor is an executor as it describes itself.
type Executor struct {
	ID       job.ExecutorID `json:"id"`
	Host     string         `json:"host"`
	Version  string         `json:"version"`
	Started  *Time          `json:"started"`
	Seen     *Time          `json:"seen"` // its last heartbeat
	Slots    int            `json:"slots"`
	Draining bool           `json:"draining"` // claims no more
	Benched  *Time          `json:"benched"`  // until then it claims nothing, since attempts fail there; null: it does
	Running  []string       `json:"running"`  // attempts, "JOB/m12.1"
	CPU      float64        `json:"cpu"`      // cores in use
	Memory   int64          `json:"memory"`   // resident bytes
}

// ExecutorList is all executors that reported themselves lately, by id.
type ExecutorList struct {
	Executors []Executor `json:"executors"`
}

// listExecutors answers GET /v1/executors.
func (s *Server) listExecutors(c echo.Context) error {
	infos, err := s.cfg.Store.Executors(c.Request().Context())
	if err != nil {
		return err
	}
	list := ExecutorList{Executors: []Executor{}}
	for _, e := range infos {
		list.Executors = append(list.Executors, Executor{
			ID: e.ID, Host: e.Host, Version: e.Version, Started: at(e.Started), Seen: at(e.Seen),
			Slots: e.Slots, Draining: e.Draining, Benched: at(e.Benched), Running: append([]string{}, e.Running...),
			CPU: e.CPU, Memory: e.Memory,
		})
	}
	return c.JSON(http.StatusOK, list)
}
