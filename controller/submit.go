package controller

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// NewJobID returns an id that no other job has; ids sort by the time they were made.
func NewJobID() job.ID {
	return job.ID(strings.ToLower(ulid.MustNew(ulid.Now(), rand.Reader).String()))
}

// Submit is SubmitFor for nobody.
func Submit(ctx context.Context, store *state.Store, id job.ID, spec job.Spec) (created bool, err error) {
	return SubmitFor(ctx, store, "", id, spec)
}

// SubmitFor checks a spec and creates its job, for a caller of that name. Created tells whether this call made it, as
// state.Store.Submit does.
func SubmitFor(ctx context.Context, store *state.Store, by string, id job.ID, spec job.Spec) (created bool, err error) {
	text, err := encodeSpec(&spec)
	if err != nil {
		return false, err
	}
	return store.SubmitFor(ctx, by, id, spec.Name, spec.Priority, text)
}

// encodeSpec checks a spec, names its job, and encodes it.
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
