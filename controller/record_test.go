package controller

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Of two submissions with one id and two specs, the one whose record is written first has the id.
// The other leaves that record alone.
func TestRecordOfAnotherSubmission(t *testing.T) {
	l := newLab(t, func(cfg *Config) { cfg.Durable = true })
	spec := func(output string) job.Spec {
		return job.Spec{Program: "sort", Input: job.Inputs(l.folder), Output: filepath.Join(l.folder, output)}
	}
	first, second := spec("first"), spec("second")
	text, err := encodeSpec(&first)
	l.must(err)
	written := jobRecord{Namespace: l.cfg.Store.Namespace(), Name: first.Name, Spec: text}
	_, err = l.writeRecord(t.Context(), "j", written) // and its script is still on its way
	l.must(err)
	if created, err := l.Submit(t.Context(), "j", second); !errors.Is(err, state.ErrExists) || created {
		t.Errorf("the second is created: %t, %v", created, err)
	}
	if known, err := l.cfg.Store.Known(t.Context(), "j"); err != nil || known {
		t.Errorf("a job is known: %t, %v", known, err)
	}
	var r jobRecord
	if found, err := l.readRecord(t.Context(), l.records("j").Record(), &r); err != nil || !found || string(r.Spec) != string(text) {
		t.Errorf("the record is %s, %t, %v", r.Spec, found, err)
	}
	if created, err := l.Submit(t.Context(), "j", first); err != nil || !created {
		t.Errorf("the first is created: %t, %v", created, err)
	}
}

// A record that the store has damaged is replaced by the next submission of the job.
func TestDamagedRecordIsReplaced(t *testing.T) {
	l := newLab(t, func(cfg *Config) { cfg.Durable = true })
	key := l.records("j").Record()
	_, err := l.work.Put(t.Context(), key, []byte("no record"))
	l.must(err)
	_, err = l.Submit(t.Context(), "j", job.Spec{Program: "sort", Input: job.Inputs(l.folder), Output: filepath.Join(l.folder, "out")})
	l.must(err)
	if _, err := objstore.ReadChecked(t.Context(), l.work, key); err != nil {
		t.Error(err)
	}
}
