package state

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// SetBounds says that an object on the work store (see Layout.Bounds) has the partition bounds of
// a job, born when the caller read it, unless that was said of another one before. It returns the
// name that holds. It fails with ErrStale when that job was lost and restored meanwhile, or is in
// another phase than map or reduce.
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

// decodeBounds reads what bounds.lua answers.
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

// HoldSampler makes the caller, named by token, the one that samples a job's keys, until it
// releases that or ttl is over; repeated, it goes on. False means that another does. As with Mind,
// this saves double work and guards nothing.
func (s *Store) HoldSampler(ctx context.Context, id job.ID, token string, ttl time.Duration) (bool, error) {
	holder, err := s.hold(ctx, s.samplerKey(id), token, ttl)
	return holder == token, err
}

// ReleaseSampler ends HoldSampler.
func (s *Store) ReleaseSampler(ctx context.Context, id job.ID, token string) error {
	return s.release(ctx, s.samplerKey(id), token)
}

// Bounds returns what SetBounds has said of a job with that birth; "": nothing yet.
func (s *Store) Bounds(ctx context.Context, id job.ID, born int64) (string, error) {
	fields, err := s.rdb.HMGet(ctx, s.jobKey(id), "born", "bounds").Result()
	if err != nil {
		return "", fmt.Errorf("read the bounds of %s: %w", id, err)
	}
	if at, _ := fields[0].(string); at != strconv.FormatInt(born, 10) {
		return "", fmt.Errorf("read the bounds of %s: %w", id, ErrStale)
	}
	name, _ := fields[1].(string) // nil where there is none
	return name, nil
}
