package server

import (
	"net/http"
	"slices"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
)

// listBuckets answers GET /v1/objects.
func (s *Server) listBuckets(c echo.Context) error {
	if s.cfg.Buckets == nil {
		return newProblem(api.CodeNotConfigured, "listing buckets is not set up")
	}
	names, err := s.cfg.Buckets(c.Request().Context())
	if err != nil {
		return err
	}
	slices.Sort(names)
	list := api.BucketList{Buckets: []api.Bucket{}}
	for _, name := range names {
		if s.places.shows(name, callerOf(c)) {
			list.Buckets = append(list.Buckets, api.Bucket{Name: name, URL: "s3://" + name})
		}
	}
	return c.JSON(http.StatusOK, list)
}
