package server

import (
	"fmt"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

const (
	// minPrefix is how many characters of an id are needed.
	minPrefix = 4
	// wholeID is the length of the ids that servers make. No such id is the beginning of another.
	wholeID = 26
	// candidates is how many ids the answer lists if an id is ambiguous.
	candidates = 10
)

// jobID returns the id of the job in the request's path, which may have only the beginning of the
// id. An id that no job has is returned as it is.
func (s *Server) jobID(c echo.Context) (job.ID, error) {
	id := job.ID(c.Param("id"))
	if !id.Valid() {
		return "", newProblem(api.CodeJobNotFound, "invalid job id %.140q", string(id))
	}
	if len(id) < minPrefix || len(id) >= wholeID {
		return id, nil
	}
	ctx := c.Request().Context()
	if known, err := s.cfg.Jobs.Known(ctx, id); known || err != nil {
		return id, err
	}
	found, err := s.cfg.Jobs.Prefixed(ctx, id, candidates+1)
	switch {
	case err != nil:
		return "", err
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return id, nil
	}
	slices.Sort(found)
	more := ""
	if len(found) > candidates {
		found, more = found[:candidates], " and more"
	}
	return "", newProblem(api.CodeAmbiguousID, "%s", fmt.Sprintf("%s begins the ids of several jobs: %s%s", id, join(found), more))
}

func join(ids []job.ID) (text string) {
	for i, id := range ids {
		if i > 0 {
			text += ", "
		}
		text += string(id)
	}
	return text
}
