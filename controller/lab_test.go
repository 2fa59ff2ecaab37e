package controller

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/state/embedded"
)

// lab is a controller whose methods a test calls one by one, with its own Redis and folder. Tests
// are its executors.
type lab struct {
	*Controller
	t      *testing.T
	folder string
}

// newLab makes a lab; change may be nil.
func newLab(t *testing.T, change func(*Config)) lab {
	t.Helper()
	server, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	store := state.New(redis.NewClient(options), state.DefaultNamespace)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	folder := t.TempDir()
	cfg := Config{
		ID: "boss", Store: store, Open: open(t), Work: filepath.Join(folder, "work"), Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return lab{Controller: c, t: t, folder: folder}
}

// job reads a job's record.
func (l lab) job(id job.ID) state.Job {
	l.t.Helper()
	job, err := l.cfg.Store.Job(l.t.Context(), id)
	l.must(err)
	return job
}

// step is the step that a job waits for.
func (l lab) step(id job.ID) *step {
	l.t.Helper()
	s := l.newStep(l.t.Context(), l.job(id))
	l.must(s.broken)
	return s
}

// stepOf is a step of a job of that spec, which may be in Redis or not.
func (l lab) stepOf(id job.ID, spec job.Spec) *step {
	l.t.Helper()
	text, err := json.Marshal(spec)
	l.must(err)
	s := l.newStep(l.t.Context(), state.Job{ID: id, Spec: text})
	l.must(s.broken)
	return s
}

func (l lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// submit creates a job.
func (l lab) submit(id job.ID, spec job.Spec) {
	l.t.Helper()
	_, err := l.Submit(l.t.Context(), id, spec)
	l.must(err)
}

// write makes a file and its folders.
func (l lab) write(path, text string) {
	l.t.Helper()
	l.must(os.MkdirAll(filepath.Dir(path), 0o700))
	l.must(os.WriteFile(path, []byte(text), 0o600))
}

// open opens folders.
func open(t *testing.T) objstore.Opener {
	t.Helper()
	stores, err := connect.New(connect.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, url string) (objstore.Bucket, string, error) { return stores.Open(ctx, url) }
}
