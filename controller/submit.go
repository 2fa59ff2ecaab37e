package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// Submit is SubmitFor without a caller's name.
func Submit(ctx context.Context, store *state.Store, id job.ID, spec job.Spec) (created bool, err error) {
	return SubmitFor(ctx, store, "", id, spec)
}

// SubmitFor validates a spec and creates its job in Redis, for the caller by. It reports whether
// this call created it, as state.Store.Submit does.
func SubmitFor(ctx context.Context, store *state.Store, by string, id job.ID, spec job.Spec) (created bool, err error) {
	text, err := encodeSpec(&spec)
	if err != nil {
		return false, err
	}
	return store.SubmitFor(ctx, by, id, spec.Name, spec.Priority, text)
}

// Submit is SubmitFor without a caller's name.
func (c *Controller) Submit(ctx context.Context, id job.ID, spec job.Spec) (created bool, err error) {
	return c.SubmitFor(ctx, "", id, spec)
}

// SubmitFor validates a spec and creates its job, for the caller by. If the controller is durable,
// the job is on the work store before it is in Redis. It reports whether this call created the job,
// as state.Store.Submit does.
func (c *Controller) SubmitFor(ctx context.Context, by string, id job.ID, spec job.Spec) (created bool, err error) {
	if !c.cfg.Durable {
		return SubmitFor(ctx, c.cfg.Store, by, id, spec)
	}
	text, err := encodeSpec(&spec)
	if err != nil {
		return false, err
	}
	record := jobRecord{
		Namespace: c.cfg.Store.Namespace(), Name: spec.Name, Priority: spec.Priority,
		Spec: text, Submitted: time.Now().UTC(), By: by,
	}
	recorded, err := c.writeRecord(ctx, id, record)
	if err == nil && !recorded {
		err = c.sameRecord(ctx, id, record)
	}
	if err != nil {
		return false, err
	}
	created, err = c.cfg.Store.SubmitFor(ctx, by, id, spec.Name, spec.Priority, text)
	if recorded && (errors.Is(err, state.ErrExists) || errors.Is(err, state.ErrInvalid) || errors.Is(err, state.ErrNotSubmitted)) {
		// There is no job, and the record must not become one later. After any other error there
		// may be a job.
		return false, errors.Join(err, c.dropRecords(ctx, id))
	}
	if err == nil && !recorded {
		_, err = c.writeRecord(ctx, id, record) // another submission may have been refused, and have deleted the record
	}
	if err != nil {
		return created, err
	}
	return created, c.dropLateRecord(ctx, id)
}

// encodeSpec validates a spec, fills in the job's name, and encodes the spec.
func encodeSpec(spec *job.Spec) ([]byte, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if spec.Name == "" {
		spec.Name = spec.Program
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode job spec: %w", err)
	}
	return text, nil
}
