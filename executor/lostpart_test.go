package executor_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// flipByte damages the middle of a file.
func flipByte(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 1
	return os.WriteFile(path, data, 0o600)
}

// losingManifests adds a controller for which something happens to a manifest of the output when it
// reads the first one.
func losingManifests(c *cluster, happen func(path string) error) func(*controller.Config) {
	var once sync.Once
	return func(cfg *controller.Config) {
		cfg.Open = faulty(c.open, func(_ context.Context, method, key string) (err error) {
			if method == "get" && strings.HasSuffix(key, ".manifest") {
				once.Do(func() { err = happen("/" + key) })
			}
			return err
		})
	}
}

// farOutput returns a spec whose output has such a long name that the manifests of parts are
// objects.
func (c *cluster) farOutput(reducers int) job.Spec {
	spec := c.spec(reducers)
	spec.Output = c.path("out/" + strings.Repeat("far-", 60))
	return spec
}

// If a part's manifest is lost when the job is published, its task is done again, and nothing else.
func TestLostManifestOfAPart(t *testing.T) {
	t.Parallel()
	for name, happen := range map[string]func(path string) error{"deleted": os.Remove, "damaged": flipByte} {
		for _, reducers := range []int{0, 3} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := newIdleCluster(t)
				c.boss(losingManifests(c, happen))
				c.executor("one", forEver, nil)
				spec := c.farOutput(reducers)
				job := c.completed(c.submitSpec(spec))
				failed := job.Reduce.Failed
				if reducers == 0 {
					failed = job.Map.Failed
				}
				if failed != 1 {
					t.Errorf("%d attempts failed", failed)
				}
				want := max(reducers, 1) + 1
				if reducers == 0 {
					want = 4 + 1
				}
				if names := c.files("out"); len(names) != want {
					t.Errorf("the output has %q", names)
				}
				if left := c.files("work/jobs"); len(left) > 0 {
					t.Errorf("left on the work store: %q", left)
				}
			})
		}
	}
}

// A cancelled job leaves no upload, even if manifests are lost.
func TestLostManifestOfACancelledJob(t *testing.T) {
	t.Parallel()
	c := newIdleCluster(t)
	c.executor("one", forEver, nil)
	release := make(chan struct{})
	c.boss(func(cfg *controller.Config) {
		cfg.Open = faulty(c.open, func(_ context.Context, method, key string) error {
			if method == "get" && strings.HasSuffix(key, ".manifest") {
				<-release
			}
			return nil
		})
	})
	id := c.submitSpec(c.farOutput(3))
	c.wait(id, func(j state.Job) bool { return j.Phase == job.PhasePublish })
	for _, name := range c.files("work") {
		if filepath.Ext(name) == ".manifest" {
			if err := os.Remove(c.path("work/" + name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.store.Stop(t.Context(), id, state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob}); err != nil {
		t.Fatal(err)
	}
	close(release)
	c.wait(id, func(j state.Job) bool { return j.Phase == job.PhaseEnded })
	if left := c.files("out"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
