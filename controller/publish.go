package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// requestsAtOnce is how many requests a controller has under way for one job.
const requestsAtOnce = 32

// part is a part of the output that a committed attempt has written.
type part struct {
	index  int
	upload objstore.Upload
	state.Part
}

// publish makes the output visible. Nothing of it was until now: every part is an upload
// that its attempt sealed. All are completed, their sizes are checked, and _SUCCESS comes
// last. Any controller may do this again from the start, at any point.
func (c *Controller) publish(ctx context.Context, job state.Job, spec state.Spec) error {
	err := c.publishParts(ctx, job, spec)
	if err == nil || errors.Is(err, state.ErrIllegal) || errors.Is(err, state.ErrNoJob) {
		return err
	}
	err = fmt.Errorf("publish output %s: %w", spec.Output, err)
	if transient(err) && time.Since(job.PublishedFrom) < c.cfg.PublishTimeout {
		return err
	}
	return c.fail(ctx, job.ID, err)
}

func (c *Controller) publishParts(ctx context.Context, job state.Job, spec state.Spec) error {
	out, prefix, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return err
	}
	parts, err := c.parts(ctx, job)
	if err != nil {
		return err
	}
	counters, err := c.cfg.Store.Counters(ctx, job.ID)
	if err != nil {
		return err
	}
	success := outputName(prefix, state.SuccessName)
	if spec.Overwrite {
		if err := out.Delete(ctx, success); err != nil {
			return err
		}
	}
	if err := completeParts(ctx, out, parts); err != nil {
		return err
	}
	if spec.Overwrite {
		if err := deleteOldParts(ctx, out, prefix, len(parts)); err != nil {
			return err
		}
	}
	report := state.Success{Job: job.ID, Name: job.Name, Counters: counters}
	for i, p := range parts {
		report.Parts = append(report.Parts, state.SuccessPart{
			Name: state.PartName(i), Bytes: p.Bytes, Records: p.Records, Checksum: p.Checksum,
		})
		report.Records += p.Records
		report.Bytes += p.Bytes
	}
	text, err := report.Encode()
	if err != nil {
		return err
	}
	if _, err := out.Put(ctx, success, text); err != nil {
		return err
	}
	err = c.cfg.Store.Finish(ctx, job.ID)
	if errors.Is(err, state.ErrIllegal) {
		// Cancelled while we published: what we wrote says something that is not so, unless
		// another controller has finished the job.
		if now, jobErr := c.cfg.Store.Job(ctx, job.ID); jobErr == nil && now.State != state.Completed {
			return errors.Join(err, out.Delete(ctx, success))
		}
	}
	return err
}

// parts returns the committed parts of a job's output, by index. A missing one is an error.
func (c *Controller) parts(ctx context.Context, job state.Job) ([]part, error) {
	found, err := c.committedParts(ctx, job)
	if err != nil {
		return nil, err
	}
	side, want := outputSide(job)
	parts := make([]part, want)
	seen := 0
	for _, p := range found {
		if p.index >= want {
			return nil, fmt.Errorf("%s task %d is committed, but the job has %d", side, p.index, want)
		}
		if parts[p.index].Checksum == "" {
			seen++
		}
		parts[p.index] = p
	}
	if seen != want {
		return nil, fmt.Errorf("%d of %d %s tasks are committed", seen, want, side)
	}
	return parts, nil
}

// outputSide is the side whose tasks write the output, and how many there are.
func outputSide(job state.Job) (state.Side, int) {
	if job.Reduce.Total == 0 {
		return state.Map, job.Map.Total
	}
	return state.Reduce, job.Reduce.Total
}

// committedParts returns those parts that are committed, in no order.
func (c *Controller) committedParts(ctx context.Context, job state.Job) ([]part, error) {
	side, _ := outputSide(job)
	var parts []part
	for committed, err := range c.cfg.Store.Committed(ctx, job.ID, side) {
		if err != nil {
			return nil, err
		}
		text, err := objstore.Resolve(ctx, c.work, committed.Manifest)
		if err != nil {
			return nil, fmt.Errorf("read manifest of %s: %w", committed.Attempt, err)
		}
		p := part{index: committed.Attempt.Task.Index}
		if err := json.Unmarshal(text, &p.Part); err != nil {
			return nil, fmt.Errorf("read manifest of %s: %w", committed.Attempt, err)
		}
		if err := json.Unmarshal(p.Upload, &p.upload); err != nil {
			return nil, fmt.Errorf("read manifest of %s: %w", committed.Attempt, err)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func completeParts(ctx context.Context, out objstore.Bucket, parts []part) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for _, p := range parts {
		g.Go(func() error {
			o, err := out.Complete(ctx, p.upload)
			if err != nil {
				return err
			}
			if o.Size != p.Bytes {
				return fmt.Errorf("%s/%s has %d bytes, not the %d that were written", out.URL(), p.upload.Key, o.Size, p.Bytes)
			}
			return nil
		})
	}
	return g.Wait()
}

// deleteOldParts removes the parts of an overwritten output that had more of them.
func deleteOldParts(ctx context.Context, out objstore.Bucket, prefix string, parts int) error {
	var old []string
	for o, err := range out.List(ctx, outputName(prefix, "part-")) {
		if err != nil {
			return err
		}
		if index, ok := partIndex(o.Key); ok && index >= parts {
			old = append(old, o.Key)
		}
	}
	return out.Delete(ctx, old...)
}

// partIndex reads the index from a part's key; false when the name is not one that
// state.PartName makes.
func partIndex(key string) (int, bool) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	index, err := strconv.Atoi(strings.TrimPrefix(name, "part-"))
	return index, err == nil && name == state.PartName(index)
}
