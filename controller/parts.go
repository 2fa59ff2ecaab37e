package controller

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// part is a part of the output that a committed attempt has written.
type part struct {
	index   int
	attempt job.AttemptID
	upload  objstore.Upload
	layout.Part
}

// parts returns the committed parts of the output, by index, and the attempts whose manifests are
// lost. It fails if a task is not committed.
func (s *step) parts(ctx context.Context) ([]part, []state.Lost, error) {
	found, lost, err := s.committedParts(ctx)
	if err != nil {
		return nil, nil, err
	}
	side, want := outputSide(s.job)
	parts := make([]part, want)
	seen := len(lost)
	for _, p := range found {
		if p.index >= want {
			return nil, nil, fmt.Errorf("%s task %d is committed, but the job has %d", side, p.index, want)
		}
		if parts[p.index].Checksum == "" {
			seen++
		}
		parts[p.index] = p
	}
	if seen != want {
		return nil, nil, fmt.Errorf("%d of %d %s tasks are committed", seen, want, side)
	}
	return parts, lost, nil
}

// outputSide is the side whose tasks write the output, and how many there are.
func outputSide(j state.Job) (job.Side, int) {
	if j.Reduce.Total == 0 {
		return job.Map, j.Map.Total
	}
	return job.Reduce, j.Reduce.Total
}

// committedParts returns the parts that are committed, by index, and the attempts whose manifests
// the store has lost or damaged.
func (s *step) committedParts(ctx context.Context) ([]part, []state.Lost, error) {
	layout, err := s.layout()
	if err != nil {
		return nil, nil, err
	}
	var (
		mu      sync.Mutex
		parts   []part // guarded by mu
		lost    losses
		listErr error
	)
	side, _ := outputSide(s.job)
	err = each(ctx, untilError(s.cfg.Store.Committed(ctx, s.job.ID, side), &listErr), func(ctx context.Context, committed state.Committed) error {
		p, err := s.committedPart(ctx, layout, committed)
		switch {
		case errors.Is(err, objstore.ErrCorrupt), isNotFound(err):
			lost.add(committed.Attempt, err)
		case err != nil:
			return err
		default:
			mu.Lock()
			defer mu.Unlock()
			parts = append(parts, p)
		}
		return nil
	})
	if err := errors.Join(listErr, err); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.index, b.index) })
	return parts, lost.sorted(), nil
}

func (s *step) committedPart(ctx context.Context, layout layout.Layout, committed state.Committed) (part, error) {
	text, err := objstore.Resolve(ctx, s.work, committed.Manifest)
	if err != nil {
		err = objstore.Withheld(ctx, s.work, layout.Manifest(committed.Attempt), err, func() error {
			_, err := objstore.Resolve(ctx, s.work, committed.Manifest)
			return err
		})
		return part{}, fmt.Errorf("read the manifest of %s: %w", committed.Attempt, err)
	}
	p := part{index: committed.Attempt.Task.Index, attempt: committed.Attempt}
	if err := json.Unmarshal(text, &p.Part); err != nil {
		return part{}, fmt.Errorf("read the manifest of %s: %w", committed.Attempt, err)
	}
	if err := json.Unmarshal(p.Upload, &p.upload); err != nil {
		return part{}, fmt.Errorf("read the manifest of %s: %w", committed.Attempt, err)
	}
	return p, nil
}
