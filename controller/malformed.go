package controller

import (
	"fmt"

	"github.com/bucketmill/bucketmill/job"
)

// unusable returns why a job has nothing to publish: its builtin passed over every record as malformed. To most
// people an empty output says that nothing was found, where the input is in fact of another format.
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
		return nil // a program of the user's may call a counter so, too
	}
	return fmt.Errorf("%s could use no record, %d of %d are malformed: each must be %s (-p strict=true shows the first that is not)",
		s.spec.Program, n, max(n, counters["map_input_records"]), reads)
}
