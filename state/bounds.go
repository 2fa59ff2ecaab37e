package state

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// SetBounds records the object on the work store (see Layout.Bounds) that has the partition bounds
// of a job, unless another one is already recorded. Born is the job's birth as the caller read it.
// SetBounds returns the recorded name. It fails with ErrStale if the job was lost and restored
// since, or is in a phase other than map and reduce.
func (s *Store) SetBounds(ctx context.Context, id job.ID, born int64, name string) (string, error) {
	v, err := boundsScript.call(ctx, s.rdb, s.jobKeys(id), strconv.FormatInt(born, 10), name)
	if err == nil {
		name, err = decodeBounds(v)
	}
	if err != nil {
		return "", fmt.Errorf("set the bounds of %s: %w", id, err)
	}
	return name, nil
}

// decodeBounds decodes the reply of bounds.lua.
func decodeBounds(v any) (name string, err error) {
	r := boundsScript.replyOf(v)
	switch r.status("ok", "gone", "stale") {
	case "ok":
		name = r.text("the name")
	case "gone":
		err = ErrNoJob
	case "stale":
		err = ErrStale
	}
	if malformed := r.done(); malformed != nil {
		return "", malformed
	}
	return name, err
}

// HoldSampler makes the caller, named by token, the only one that samples a job's keys, until it
// releases the hold or ttl ends; repeating the call extends the hold. False means that another one
// holds it. Like HoldJob, this saves double work and protects nothing.
func (s *Store) HoldSampler(ctx context.Context, id job.ID, token string, ttl time.Duration) (bool, error) {
	holder, err := s.hold(ctx, s.samplerKey(id), token, ttl)
	return holder == token, err
}

// ReleaseSampler ends HoldSampler.
func (s *Store) ReleaseSampler(ctx context.Context, id job.ID, token string) error {
	return s.release(ctx, s.samplerKey(id), token)
}

// Bounds returns the name that SetBounds recorded for a job with that birth; "": none yet.
func (s *Store) Bounds(ctx context.Context, id job.ID, born int64) (string, error) {
	fields, err := s.rdb.HMGet(ctx, s.jobKey(id), "born", "bounds").Result()
	if err != nil {
		return "", fmt.Errorf("read the bounds of %s: %w", id, err)
	}
	if at, _ := fields[0].(string); at != strconv.FormatInt(born, 10) {
		return "", fmt.Errorf("read the bounds of %s: %w", id, ErrStale)
	}
	name, _ := fields[1].(string) // nil if there is none
	return name, nil
}
