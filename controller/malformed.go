package controller

import (
	"fmt"

	"github.com/bucketmill/bucketmill/job"
)

// unusable returns why a job has nothing to publish: its builtin skipped every record as malformed.
// Most people read an empty output as "nothing was found", although the input is of another format.
// It returns nil for other jobs.
func (s *step) unusable(counters map[string]int64) error {
	n := counters[job.Malformed]
	if n == 0 || counters["map_output_records"] > 0 {
		return nil
	}
	kind, err := s.cfg.Kinds.Find(s.spec.Kind)
	if err != nil || kind.Reads == nil {
		return nil
	}
	reads := kind.Reads(s.spec.Program)
	if reads == "" {
		return nil // a user's program may have a counter of this name, too
	}
	return fmt.Errorf("%s could use no record: %d of %d are malformed; each must be %s (-p strict=true shows the first malformed one)",
		s.spec.Program, n, max(n, counters["map_input_records"]), reads)
}
