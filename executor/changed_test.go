package executor_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// An input that changes after the job was planned fails the job, even if its size stays the same.
// The job leaves no output.
func TestChangedInputFailsTheJob(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string, text []byte) error{
		"written to in place": func(path string, text []byte) error {
			return os.WriteFile(path, append(text[:len(text)-2], "X\n"...), 0o600)
		},
		"replaced": func(path string, text []byte) error {
			if err := os.WriteFile(path+".new", text, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
		"touched": func(path string, _ []byte) error { return os.Chtimes(path, time.Now(), time.Now().Add(time.Second)) },
		"grown": func(path string, text []byte) error {
			return os.WriteFile(path, append(text, "more\n"...), 0o600)
		},
		"cut":     func(path string, text []byte) error { return os.WriteFile(path, text[:len(text)/2], 0o600) },
		"removed": func(path string, _ []byte) error { return os.Remove(path) },
	} {
		for _, when := range []string{"planned", "half mapped"} {
			t.Run(name+" when "+when, func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				id := c.submit(2)
				c.wait(id, func(theJob state.Job) bool { return theJob.Phase == job.PhaseMap })
				text, err := os.ReadFile(c.path("in.txt"))
				if err != nil {
					t.Fatal(err)
				}
				var once sync.Once
				happen := func() {
					once.Do(func() {
						if err := change(c.path("in.txt"), text); err != nil {
							t.Error(err)
						}
					})
				}
				if when == "planned" {
					happen()
				}
				c.executor("one", forEver, func(cfg *executor.Config) {
					cfg.Slots = 1
					cfg.Open = faulty(c.open, func(_ context.Context, method, key string) error {
						if method == "create" && strings.HasSuffix(key, ".seg") {
							happen() // the first of four map tasks has read its split
						}
						return nil
					})
				})
				j := c.wait(id, func(theJob state.Job) bool { return theJob.Phase == job.PhaseEnded })
				if j.State != job.Failed || j.Error == nil || !strings.Contains(j.Error.Message, "in.txt changed after the job was planned") {
					t.Errorf("the job is %s: %+v", j.State, j.Error)
				}
				if left := c.files("out"); len(left) > 0 {
					t.Errorf("it leaves %q", left)
				}
			})
		}
	}
}
