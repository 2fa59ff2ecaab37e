package controller

import (
	"bytes"
	"context"
	"errors"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

var (
	errOutputTaken = errors.New("while Redis had lost the job another one took its output")
	errNotWhole    = errors.New("a part of the output is missing")
)

// success returns which job the output's _SUCCESS object names; nil if there is no such object. One
// that no job of ours has written names no job. It reads only the object's first bytes, for the
// object may be anything.
func (o *output) success(ctx context.Context) (*layout.Success, error) {
	head, err := readHead(ctx, o.bucket, o.key(layout.SuccessName), layout.SuccessHead)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &layout.Success{Job: layout.SuccessJob(head)}, nil
}

// published reads the _SUCCESS object, as success does, and reports whether the job of that id has
// published its output: the object names the job and the number of parts (-1: unknown), and the
// parts are there. Otherwise a publisher that was held up may have written it, about what a retry
// then threw away. The counters are those of the job, if it has published.
func (o *output) published(ctx context.Context, id job.ID, parts int) (*layout.Success, bool, error) {
	s, err := o.success(ctx)
	if err != nil || s == nil || s.Job != id {
		return s, false, err
	}
	sizes, own, err := o.readSuccess(ctx, id, parts)
	switch {
	case isNotFound(err):
		return nil, false, nil // deleted meanwhile
	case errors.Is(err, layout.ErrNoSuccess):
		return &layout.Success{}, false, nil
	case err != nil || len(sizes) == 0:
		return s, false, err
	}
	err = each(ctx, below(len(sizes)), func(ctx context.Context, i int) error {
		object, err := o.bucket.Stat(ctx, o.key(layout.PartName(i)))
		if isNotFound(err) || err == nil && object.Size != sizes[i] {
			return errNotWhole
		}
		return err
	})
	if errors.Is(err, errNotWhole) {
		return own, false, nil
	}
	return own, err == nil, err
}

// readSuccess reads the _SUCCESS object of a job: the sizes of its parts, and the rest.
func (o *output) readSuccess(ctx context.Context, id job.ID, parts int) (sizes []int64, s *layout.Success, err error) {
	r, err := o.bucket.Get(ctx, o.key(layout.SuccessName), 0, -1)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	own, err := layout.ReadSuccess(r, id, parts, func(p layout.SuccessPart) error {
		sizes = append(sizes, p.Bytes)
		return nil
	})
	return sizes, &own, err
}

// deleteSuccess deletes the _SUCCESS object, if it names the job.
func (o *output) deleteSuccess(ctx context.Context, id job.ID) error {
	s, err := o.success(ctx)
	if err != nil || s == nil || s.Job != id {
		return err
	}
	return o.bucket.Delete(ctx, o.key(layout.SuccessName))
}

// takenOver reports whether a _SUCCESS object (nil: there is none) is of a job that published after
// the job of that id was planned: Redis has forgotten the other job, and that this one was over.
func takenOver(id job.ID, plan string, there *layout.Success) (bool, error) {
	if there == nil || there.Job == "" || there.Job == id || plan == "" {
		return false, nil
	}
	p, err := layout.ParsePlan(plan)
	return there.Job != p.Replaces, err
}

// finishFound completes a job whose output was published before: Redis was not told, or has
// forgotten.
func (s *step) finishFound(ctx context.Context, found *layout.Success) error {
	return s.cfg.Store.FinishFound(ctx, s.job.ID, s.job.Stage, found.Counters)
}

// putSuccess writes the _SUCCESS object. It replaces one only where the job may do so.
func (s *step) putSuccess(ctx context.Context, text []byte) error {
	if err := s.stillIn(ctx); err != nil {
		return err
	}
	b, key := s.out.bucket, s.out.key(layout.SuccessName)
	if s.spec.Overwrite {
		_, err := b.Put(ctx, key, text)
		return err
	}
	_, err := b.PutIfAbsent(ctx, key, text)
	if !errors.Is(err, objstore.ErrExists) {
		return err
	}
	if there, readErr := objstore.ReadAll(ctx, b, key, int64(len(text))); readErr == nil && bytes.Equal(there, text) {
		return nil // written before, by this controller or another
	}
	there, readErr := s.out.success(ctx)
	if readErr != nil || there == nil || there.Job != s.job.ID {
		return errors.Join(err, readErr)
	}
	// A controller that was held up published what a retry has thrown away.
	_, err = b.Put(ctx, key, text)
	return err
}
