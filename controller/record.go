package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// jobRecord is a job on the work store, from before it is submitted until its outcome is certain:
// what is needed to submit the job again if Redis loses its data.
type jobRecord struct {
	Namespace string          `json:"namespace"` // of the cluster: several may share a work prefix
	Name      string          `json:"name"`
	Priority  int             `json:"priority"`
	Spec      json.RawMessage `json:"spec"`
	Submitted time.Time       `json:"submitted"`
	By        string          `json:"submitted_by,omitempty"`
}

// planRecord says which plan a job was started with. It is written after the job is started, so
// that of several controllers that plan a job the one whose plan counts writes it.
type planRecord struct {
	Maps    int    `json:"maps"`
	Reduces int    `json:"reduces"`
	Plan    string `json:"plan"`
}

// parts is how many parts the job's output has.
func (p planRecord) parts() int {
	if p.Reduces == 0 {
		return p.Maps
	}
	return p.Reduces
}

// sameRecord fails with state.ErrExists if a job's record has another spec: another submission has
// written it, and its job has the id, or is about to have it. It replaces a damaged record.
func (c *Controller) sameRecord(ctx context.Context, id job.ID, r jobRecord) error {
	var there jobRecord
	key := c.records(id).Record()
	found, err := c.readRecord(ctx, key, &there)
	switch {
	case errors.Is(err, objstore.ErrCorrupt):
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode the record of %s: %w", id, err)
		}
		_, err = c.work.Put(ctx, key, objstore.Checked(text))
		return err
	case err != nil || !found:
		return err
	case !bytes.Equal(there.Spec, r.Spec):
		return fmt.Errorf("submit %s: %w", id, state.ErrExists)
	}
	return nil
}

// dropLateRecord removes the records of a job whose outcome was certain before one of them was
// written: by a submission that was repeated after its answer was lost, or by a controller that was
// held up. If they stayed, the job would be restored when its history expires.
func (c *Controller) dropLateRecord(ctx context.Context, id job.ID) error {
	j, err := c.cfg.Store.Job(ctx, id)
	if errors.Is(err, state.ErrNoJob) {
		return nil // Redis has lost it this moment: it is restored from the record
	}
	if err != nil || j.Phase != job.PhaseCleanup && j.Phase != job.PhaseEnded {
		return err
	}
	return c.dropRecords(ctx, id)
}

// writeRecord writes a job's record unless there is one, and reports whether it did.
func (c *Controller) writeRecord(ctx context.Context, id job.ID, r jobRecord) (created bool, err error) {
	text, err := json.Marshal(r)
	if err != nil {
		return false, fmt.Errorf("encode the record of %s: %w", id, err)
	}
	_, err = c.work.PutIfAbsent(ctx, c.records(id).Record(), objstore.Checked(text))
	if errors.Is(err, objstore.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// writePlan writes the record of the plan that a job was started with.
func (c *Controller) writePlan(ctx context.Context, id job.ID, p planRecord) error {
	if !c.cfg.Durable {
		return nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the plan of %s: %w", id, err)
	}
	if _, err := c.work.Put(ctx, c.records(id).Planned(), objstore.Checked(text)); err != nil {
		return err
	}
	return c.dropLateRecord(ctx, id)
}

// keepPlan writes the job's plan record if it is missing: the controller that started the job may
// have died before it wrote the record.
func (s *step) keepPlan(ctx context.Context) error {
	if !s.cfg.Durable {
		return nil
	}
	key := s.records(s.job.ID).Planned()
	_, err := s.work.Stat(ctx, key)
	err = objstore.Withheld(ctx, s.work, key, err, func() error {
		_, err := s.work.Stat(ctx, key)
		return err
	})
	if !isNotFound(err) && !errors.Is(err, objstore.ErrCorrupt) {
		return err
	}
	return s.writePlan(ctx, s.job.ID, planRecord{Maps: s.job.Map.Total, Reduces: s.job.Reduce.Total, Plan: s.job.Plan})
}

// keepRecords writes both records of a job that has failed and continues.
func (s *step) keepRecords(ctx context.Context) error {
	if !s.cfg.Durable {
		return nil
	}
	if _, err := s.writeRecord(ctx, s.job.ID, jobRecord{
		Namespace: s.cfg.Store.Namespace(), Name: s.job.Name, Priority: s.spec.Priority,
		Spec: s.job.Spec, Submitted: s.job.Submitted, By: s.job.SubmittedBy,
	}); err != nil {
		return err
	}
	return s.keepPlan(ctx)
}

// readPlan returns the record of the plan that a job was started with, before Redis lost the job;
// false: the job was not started, or the record is damaged, and the job is planned again.
func (c *Controller) readPlan(ctx context.Context, id job.ID) (planRecord, bool, error) {
	var p planRecord
	found, err := c.readRecord(ctx, c.records(id).Planned(), &p)
	if errors.Is(err, objstore.ErrCorrupt) {
		c.cfg.Log.Error("planning the job again: the record of its plan is damaged", "job", id, "error", err)
		return planRecord{}, false, nil
	}
	return p, found, err
}

// readRecord decodes one of the records; false: there is none.
func (c *Controller) readRecord(ctx context.Context, key string, record any) (bool, error) {
	text, err := objstore.ReadChecked(ctx, c.work, key)
	if isNotFound(err) {
		return false, nil
	}
	err = objstore.Withheld(ctx, c.work, key, err, func() error {
		_, err := objstore.ReadChecked(ctx, c.work, key)
		return err
	})
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(text, record); err != nil {
		return false, fmt.Errorf("read %s/%s: %w", c.work.URL(), key, err)
	}
	return true, nil
}

// dropRecords deletes a job's records, so that the job is not restored.
func (c *Controller) dropRecords(ctx context.Context, id job.ID) error {
	if !c.cfg.Durable {
		return nil
	}
	l := c.records(id)
	return c.work.Delete(ctx, l.Record(), l.Planned())
}

// records is the layout of those objects of a job that don't depend on its plan.
func (c *Controller) records(id job.ID) layout.Layout {
	return layout.Layout{Prefix: c.workPrefix, Job: id, Spread: 1}
}
