package controller

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// requestsAtOnce is how many requests a controller has under way for one job.
const requestsAtOnce = 32

// part is a part of the output that a committed attempt has written.
type part struct {
	index   int
	attempt job.AttemptID
	upload  objstore.Upload
	layout.Part
}

// publish makes the output visible. Nothing of it was until now: every part is an upload
// that its attempt sealed. All are completed, their sizes are checked, and _SUCCESS comes
// last. Any controller may do this again from the start, at any point.
func (c *Controller) publish(ctx context.Context, job state.Job, spec job.Spec) error {
	err := c.publishParts(ctx, job, spec)
	if err == nil || errors.Is(err, state.ErrIllegal) || errors.Is(err, state.ErrNoJob) {
		return err
	}
	err = fmt.Errorf("publish output %s: %w", spec.Output, err)
	if c.passing(job, err, c.cfg.PublishTimeout) {
		return err
	}
	// A failover may have brought a publication back that was done.
	if success, done, readErr := c.published(ctx, job.ID, spec, job.Parts()); done || readErr != nil {
		if readErr != nil {
			return errors.Join(err, readErr)
		}
		return c.cfg.Store.FinishFound(ctx, job.ID, job.Stage, success.Counters)
	}
	return c.fail(ctx, job, err)
}

func (c *Controller) publishParts(ctx context.Context, j state.Job, spec job.Spec) error {
	out, prefix, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return err
	}
	parts, lost, err := c.parts(ctx, j)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return c.redoLost(ctx, j, spec, lost)
	}
	if err := c.keepPlan(ctx, j); err != nil {
		return err
	}
	counters, err := c.cfg.Store.Counters(ctx, j.ID)
	if err != nil {
		return err
	}
	if owned, err := c.takeOutput(ctx, j.ID, spec); err != nil || !owned {
		return cmp.Or(err, errOutputTaken)
	}
	success := outputName(prefix, layout.SuccessName)
	before, done, err := c.published(ctx, j.ID, spec, j.Parts())
	if err != nil {
		return err
	}
	if done {
		return c.cfg.Store.FinishFound(ctx, j.ID, j.Stage, before.Counters) // but Redis was not told, or forgot
	}
	if taken, err := takenOver(j, before); err != nil || taken {
		return cmp.Or(err, errOutputTaken)
	}
	if why := c.unusable(spec, counters); why != nil {
		return c.fail(ctx, j, why)
	}
	if before != nil && spec.Overwrite {
		if err := c.stillIn(ctx, j); err != nil {
			return err
		}
		if err := out.Delete(ctx, success); err != nil {
			return err
		}
	}
	lost, err = completeParts(ctx, out, parts)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return c.redo(ctx, j, lost)
	}
	if spec.Overwrite {
		if err := c.deleteOldParts(ctx, j, out, prefix, len(parts)); err != nil {
			return err
		}
	}
	skipped, lost, err := c.publishSkipped(ctx, j, spec, out, prefix, counters)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return c.redo(ctx, j, lost)
	}
	report := layout.Success{Job: j.ID, Name: j.Name, Counters: counters, Skipped: skipped}
	for i, p := range parts {
		report.Parts = append(report.Parts, layout.SuccessPart{
			Name: layout.PartName(i), Bytes: p.Bytes, Records: p.Records, Checksum: p.Checksum,
		})
		report.Records += p.Records
		report.Bytes += p.Bytes
	}
	text, err := report.Encode()
	if err != nil {
		return err
	}
	if err := c.putSuccess(ctx, j, spec, out, success, text); err != nil {
		return err
	}
	err = c.cfg.Store.Finish(ctx, j.ID, j.Stage)
	if errors.Is(err, state.ErrIllegal) {
		// Cancelled while we published: what we wrote says something that is not so. Otherwise another
		// controller has finished the job, or will find it to be complete, after a failover that has sent it
		// back to before its publication.
		now, jobErr := c.cfg.Store.Job(ctx, j.ID)
		if jobErr == nil && (now.State == job.Cancelled || now.State == job.Failed) && !now.PublishedFrom.IsZero() {
			return errors.Join(err, c.deleteOwnSuccess(ctx, j.ID, spec))
		}
	}
	return err
}

// stillIn fails with state.ErrIllegal when the job has been moved on by another controller:
// this one was held up, and the output may be another job's by now, or the same one's after a retry. It is
// asked right before what can't be taken back.
func (c *Controller) stillIn(ctx context.Context, job state.Job) error {
	stage, phase, err := c.cfg.Store.Stage(ctx, job.ID)
	if err == nil && stage != job.Stage {
		err = fmt.Errorf("%s has come from phase %s to %s meanwhile: %w", job.ID, job.Phase, phase, state.ErrIllegal)
	}
	return err
}

// putSuccess writes the _SUCCESS object. One that is there is replaced only where the job may do so.
func (c *Controller) putSuccess(ctx context.Context, job state.Job, spec job.Spec, out objstore.Bucket, key string, text []byte) error {
	if err := c.stillIn(ctx, job); err != nil {
		return err
	}
	if spec.Overwrite {
		_, err := out.Put(ctx, key, text)
		return err
	}
	_, err := out.PutIfAbsent(ctx, key, text)
	if !errors.Is(err, objstore.ErrExists) {
		return err
	}
	if there, readErr := objstore.ReadAll(ctx, out, key, int64(len(text))); readErr == nil && bytes.Equal(there, text) {
		return nil // written before, by this controller or another
	}
	s, readErr := c.success(ctx, spec)
	if readErr != nil || s == nil || s.Job != job.ID {
		return errors.Join(err, readErr)
	}
	// By one that was held up when it published what a retry has thrown away.
	_, err = out.Put(ctx, key, text)
	return err
}

// redoLost is redo, unless the job was published before: its clean-up has removed the manifests then, and a failover of
// Redis has brought the publication back.
func (c *Controller) redoLost(ctx context.Context, job state.Job, spec job.Spec, lost []state.Lost) error {
	before, done, err := c.published(ctx, job.ID, spec, job.Parts())
	if err != nil {
		return err
	}
	if done {
		return c.cfg.Store.FinishFound(ctx, job.ID, job.Stage, before.Counters)
	}
	if taken, err := takenOver(job, before); err != nil || taken {
		return cmp.Or(err, errOutputTaken)
	}
	return c.redo(ctx, job, lost)
}

// redo has tasks done again: the store has lost or damaged something of theirs that the publication needs. The parts of
// all other tasks stay as they are.
func (c *Controller) redo(ctx context.Context, job state.Job, lost []state.Lost) error {
	for _, l := range lost {
		c.cfg.Log.Warn("what the publication needs of a task is lost: it is done again", "job", job.ID, "attempt", l.Attempt, "error", l.Why)
	}
	return c.cfg.Store.Redo(ctx, job.ID, job.Stage, lost, c.cfg.Limits)
}

// parts returns the committed parts of a job's output, by index, and those attempts whose manifests are lost. A
// task that is not committed is an error.
func (c *Controller) parts(ctx context.Context, job state.Job) ([]part, []state.Lost, error) {
	found, lost, err := c.committedParts(ctx, job)
	if err != nil {
		return nil, nil, err
	}
	side, want := outputSide(job)
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

// committedParts returns those parts that are committed, by index, and the attempts whose manifests the
// store has lost or damaged.
func (c *Controller) committedParts(ctx context.Context, job state.Job) ([]part, []state.Lost, error) {
	layout, err := c.layout(job)
	if err != nil {
		return nil, nil, err
	}
	side, _ := outputSide(job)
	var (
		mu    sync.Mutex
		parts []part
		lost  []state.Lost
	)
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for committed, err := range c.cfg.Store.Committed(ctx, job.ID, side) {
		if err != nil {
			return nil, nil, errors.Join(err, g.Wait())
		}
		g.Go(func() error {
			p, err := c.committedPart(reading, layout, committed)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, objstore.ErrCorrupt), isNotFound(err):
				lost = append(lost, state.Lost{Attempt: committed.Attempt, Why: err.Error()})
			case err != nil:
				return err
			default:
				parts = append(parts, p)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.index, b.index) })
	// Each once: Redis may list an entry twice.
	slices.SortFunc(lost, func(a, b state.Lost) int { return compareTasks(a.Attempt.Task, b.Attempt.Task) })
	lost = slices.CompactFunc(lost, func(a, b state.Lost) bool { return a.Attempt == b.Attempt })
	return parts, lost, nil
}

func (c *Controller) committedPart(ctx context.Context, layout layout.Layout, committed state.Committed) (part, error) {
	text, err := objstore.Resolve(ctx, c.work, committed.Manifest)
	if err != nil {
		err = objstore.Withheld(ctx, c.work, layout.Manifest(committed.Attempt), err, func() error {
			_, err := objstore.Resolve(ctx, c.work, committed.Manifest)
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

// completeParts makes all parts visible, and returns those attempts whose uploads are lost: the store has neither the
// upload nor the object that it was to become. Somebody may have aborted it, or the store has dropped a completion whose
// controller died while it waited for the answer, as MinIO does.
func completeParts(ctx context.Context, out objstore.Bucket, parts []part) ([]state.Lost, error) {
	var (
		mu   sync.Mutex
		lost []state.Lost
	)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for _, p := range parts {
		g.Go(func() error {
			o, err := out.Complete(ctx, p.upload)
			switch {
			case isNotFound(err):
				if err = checkBytes(ctx, out, p, err); err == nil || transient(err) {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				lost = append(lost, state.Lost{Attempt: p.attempt, Why: err.Error()})
				return nil
			case err != nil:
				return err
			case o.Size != p.Bytes:
				return fmt.Errorf("%s/%s has %d bytes, not the %d that were written", out.URL(), p.upload.Key, o.Size, p.Bytes)
			}
			return nil
		})
	}
	err := g.Wait()
	slices.SortFunc(lost, func(a, b state.Lost) int { return compareTasks(a.Attempt.Task, b.Attempt.Task) })
	return lost, err
}

// checkBytes finds out whether a part that can't be completed is in place all the same. Before Redis lost
// the job, other attempts may have written the same bytes, and a request to complete theirs have come last;
// and some stores don't tell whether an object is the one that was completed.
func checkBytes(ctx context.Context, out objstore.Bucket, p part, why error) (err error) {
	o, err := out.Stat(ctx, p.upload.Key)
	if err != nil {
		return errors.Join(why, err)
	}
	if o.Size != p.Bytes {
		return why
	}
	r, err := out.Get(ctx, p.upload.Key, 0, -1)
	if err != nil {
		return errors.Join(why, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	sum := xxhash.New()
	n, err := io.Copy(sum, r)
	if err != nil {
		return errors.Join(why, err)
	}
	if n != p.Bytes || p.Checksum != fmt.Sprintf("xxh64:%016x", sum.Sum64()) {
		return why
	}
	return nil
}

// deleteOldParts removes the parts of an overwritten output that had more of them.
func (c *Controller) deleteOldParts(ctx context.Context, job state.Job, out objstore.Bucket, prefix string, parts int) error {
	var old []string
	for o, err := range out.List(ctx, outputName(prefix, "part-")) {
		if err != nil {
			return err
		}
		if index, ok := partIndex(o.Key); ok && index >= parts {
			old = append(old, o.Key)
		}
	}
	if len(old) == 0 {
		return nil
	}
	if err := c.stillIn(ctx, job); err != nil {
		return err
	}
	return out.Delete(ctx, old...)
}

// partIndex reads the index from a part's key; false when the name is not one that
// layout.PartName makes.
func partIndex(key string) (int, bool) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	index, err := strconv.Atoi(strings.TrimPrefix(name, "part-"))
	return index, err == nil && name == layout.PartName(index)
}
