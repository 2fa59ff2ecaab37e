package executor

import (
	"context"
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// sources returns the segments of an attempt's partition, except empty ones, and the map attempts
// that committed them.
func (e *Executor) sources(ctx context.Context, a *attempt, j *jobContext) ([]segfile.Source, []job.AttemptID, error) {
	partition := a.Attempt.Task.Index
	table, err := e.segmentFiles(ctx, a, j)
	if err != nil {
		return nil, nil, err
	}
	var (
		sources  []segfile.Source
		attempts []job.AttemptID
	)
	for i := range table.files {
		o := &table.files[i]
		segment, err := table.segment(o, partition)
		if err != nil {
			return nil, nil, err
		}
		if segment.Length == 0 {
			continue
		}
		key := j.layout.Segment(o.writer)
		attempts = append(attempts, o.attempt)
		sources = append(sources, segfile.Source{
			Name:      e.work.URL() + "/" + key,
			Identity:  identity(o.writer),
			Partition: partition,
			Segment:   segment,
			Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
				a.progressed()
				blame := func(err error) error {
					return e.blame(ctx, o.attempt, key, err, func() error { return drain(ctx, e.work, key, offset, length) })
				}
				body, err := e.work.Get(ctx, key, offset, length)
				if err != nil {
					return nil, blame(err)
				}
				return blamedBody{body, blame}, nil
			},
		})
	}
	return sources, attempts, nil
}

// blame turns an error of reading a committed attempt's object into a segmentError if the object
// must be made again: if it is gone, or if the store answers other requests but does not return
// this object. It returns any other error unchanged. Again repeats the read.
func (e *Executor) blame(ctx context.Context, a job.AttemptID, key string, err error, again func() error) error {
	if ctx.Err() != nil {
		return err
	}
	err = objstore.Withheld(ctx, e.work, key, err, again)
	if errors.Is(err, objstore.ErrNotFound) || errors.Is(err, objstore.ErrRange) ||
		errors.Is(err, objstore.ErrChanged) || errors.Is(err, objstore.ErrInvalid) || errors.Is(err, objstore.ErrCorrupt) {
		return &segmentError{attempt: a, err: err}
	}
	return err
}

// drain reads a range and discards it.
func drain(ctx context.Context, b objstore.Bucket, key string, offset, length int64) (err error) {
	body, err := b.Get(ctx, key, offset, length)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	_, err = io.Copy(io.Discard, body)
	return err
}

// blamedBody is the content of a segment; blame decides what a read error means.
type blamedBody struct {
	io.ReadCloser
	blame func(error) error
}

func (b blamedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.blame(err)
	}
	return n, err
}

// identity returns what marks the segment file of a map attempt.
func identity(a job.AttemptID) segfile.Identity {
	return segfile.Identity{Job: string(a.Job), Task: a.Task.Index, Attempt: a.Number}
}
