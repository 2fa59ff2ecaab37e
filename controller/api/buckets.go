package api

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

// Bucket describes a bucket.
type Bucket struct {
	Name string `json:"name"`
	URL  string `json:"url"` // s3://name, as a job names it
}

// BucketList is all buckets that a client may name, by name.
type BucketList struct {
	Buckets []Bucket `json:"buckets"`
}

// listBuckets answers GET /v1/objects.
func (s *Server) listBuckets(c echo.Context) error {
	if s.cfg.Buckets == nil {
		return newProblem(CodeNotConfigured, "listing buckets is not set up")
	}
	names, err := s.cfg.Buckets(c.Request().Context())
	if err != nil {
		return err
	}
	slices.Sort(names)
	list := BucketList{Buckets: []Bucket{}}
	for _, name := range names {
		if s.places.shows(name, callerOf(c)) {
			list.Buckets = append(list.Buckets, Bucket{Name: name, URL: "s3://" + name})
		}
	}
	return c.JSON(http.StatusOK, list)
}
