package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// summaryFields are all fields of a job that decodeJob reads, except its spec.
var summaryFields = []string{
	"name", "priority", "plan", "state", "phase", "stage", "epoch", "born", "restored", "by", "program", "output",
	"maps", "mapdone", "mapfail", "mapnext", "maplost", "mapbackups", "mapspent", "mapclaims",
	"reduces", "reddone", "redfail", "rednext", "redlost", "redbackups", "redspent", "redclaims",
	"submitted", "mapat", "reduceat", "publishat", "ended", "keptuntil", "recovered", "error",
}

// Summaries returns the records of jobs, without their specs, in the order of ids. Jobs that do not
// exist are left out.
func (s *Store) Summaries(ctx context.Context, ids []job.ID) ([]Job, error) {
	records := make([]*redis.SliceCmd, len(ids))
	running := make([]*redis.StringSliceCmd, len(ids))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			records[i] = p.HMGet(ctx, s.jobKey(id), summaryFields...)
			running[i] = p.HKeys(ctx, s.runKey(id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	jobs := make([]Job, 0, len(ids))
	for i, id := range ids {
		fields := map[string]string{}
		for k, v := range records[i].Val() {
			if text, ok := v.(string); ok {
				fields[summaryFields[k]] = text
			}
		}
		if len(fields) == 0 {
			continue
		}
		if _, noted := fields["program"]; !noted { // submitted by an earlier version
			if err := s.readHeadline(ctx, id, fields); err != nil {
				return nil, err
			}
		}
		job, err := decodeJob(id, fields, running[i].Val())
		if err != nil {
			return nil, fmt.Errorf("read job %s: %w", id, err)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// readHeadline reads from a job's spec what a listing shows of it.
func (s *Store) readHeadline(ctx context.Context, id job.ID, fields map[string]string) error {
	spec, err := s.rdb.HGet(ctx, s.jobKey(id), "spec").Bytes()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("read the spec of %s: %w", id, err)
	}
	fields["program"], fields["output"] = headline(spec)
	return nil
}

// headline returns what listings show of a spec.
func headline(spec []byte) (program, output string) {
	var shown struct{ Program, Output string }
	if json.Unmarshal(spec, &shown) != nil {
		return "", "" // planning reports the error
	}
	return shown.Program, shown.Output
}

// Prefixed returns up to most of the recorded jobs whose ids begin with prefix, in no order.
func (s *Store) Prefixed(ctx context.Context, prefix job.ID, most int) ([]job.ID, error) {
	const page = 1000
	var found []job.ID
	if !prefix.Valid() { // it may contain characters that are special in a pattern
		return nil, nil
	}
	for cursor := uint64(0); ; {
		fields, next, err := s.rdb.ZScan(ctx, s.jobsKey(), cursor, string(prefix)+"*", page).Result()
		if err != nil {
			return nil, fmt.Errorf("find jobs %s…: %w", prefix, err)
		}
		for i := 0; i+1 < len(fields); i += 2 {
			id := job.ID(fields[i])
			if !strings.HasPrefix(fields[i], string(prefix)) {
				continue // not every server applies the pattern
			}
			known, err := s.Known(ctx, id)
			if err != nil {
				return nil, err
			}
			if known && !slices.Contains(found, id) {
				found = append(found, id)
			}
			if len(found) == most {
				return found, nil
			}
		}
		if cursor = next; cursor == 0 {
			return found, nil
		}
	}
}
