package controller

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// whole is everything that is visible of the output.
func (s skipping) whole() map[string]string {
	s.t.Helper()
	files := map[string]string{}
	err := walkFiles(os.DirFS(filepath.Join(s.folder, "out")), func(name string, text []byte) {
		if !strings.HasSuffix(name, ".pending") {
			files[name] = string(text)
		}
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	return files
}

// retryOnce fails the job, cleans up after it, and retries it until it waits to be published again.
func (s skipping) retryOnce() {
	s.t.Helper()
	s.cfg.KeepFailed = time.Hour
	s.must(s.cfg.Store.Stop(s.t.Context(), "j", state.AnyStage, job.Failed, job.Failure{Message: "no"}))
	s.must(s.step("j").cleanUp(s.t.Context()))
	s.must(s.Retry(s.t.Context(), "j"))
	s.perform(2)
}

// A controller that was held up while it published, until the job had failed and was retried,
// changes nothing any more.
func TestLatePublisher(t *testing.T) {
	s := newSkipping(t, false)
	stale := s.step("j")
	s.retryOnce()
	if err := stale.publish(t.Context()); !errors.Is(err, state.ErrIllegal) {
		t.Errorf("published: %v", err)
	}
	if err := stale.fail(t.Context(), errors.New("the store is away")); !errors.Is(err, state.ErrIllegal) {
		t.Errorf("failed: %v", err)
	}
	for name := range s.whole() {
		if !strings.HasPrefix(name, "part-") { // which are what the next one publishes, too
			t.Errorf("there is %s", name)
		}
	}
	now := s.step("j")
	if now.job.Phase != job.PhasePublish {
		t.Fatalf("it is in phase %s", now.job.Phase)
	}
	s.must(now.publish(t.Context()))
	if j := s.job("j"); j.State != job.Completed {
		t.Errorf("it is %s", j.State)
	}
}

// A controller that was held up while it cleaned up leaves the output of a retry alone, even if its
// parts are the same byte for byte.
func TestLateCleanUp(t *testing.T) {
	for _, when := range []string{"before it reads what was committed", "before it deletes _SUCCESS", "before it deletes parts"} {
		t.Run(when, func(t *testing.T) {
			s := newSkipping(t, false)
			s.complete()
			s.must(s.cfg.Store.Stop(t.Context(), "j", state.AnyStage, job.Failed, job.Failure{Message: "no"}))
			stale := s.step("j")

			s.cfg.KeepFailed = time.Hour
			s.must(stale.cleanUp(t.Context()))
			s.must(s.Retry(t.Context(), "j"))
			s.perform(2)
			s.must(s.step("j").publish(t.Context()))
			want := s.whole()
			if len(want) != 2+1+len(saved) {
				t.Fatalf("the output has %q", want)
			}

			var err error
			switch when {
			case "before it reads what was committed":
				err = stale.cleanUp(t.Context())
			case "before it deletes _SUCCESS":
				err = stale.cleanOutput(t.Context())
			default:
				parts, _, partsErr := stale.parts(t.Context())
				s.must(partsErr)
				err = errors.Join(stale.unpublishSkipped(t.Context()), stale.unpublish(t.Context(), parts))
			}
			if !errors.Is(err, state.ErrIllegal) {
				t.Errorf("cleaned up: %v", err)
			}
			if got := s.whole(); !maps.Equal(got, want) {
				t.Errorf("the output has %q, had %q", got, want)
			}
		})
	}
}

// Nor does it remove what the retried job needs.
func TestLateCleanUpLeavesIntermediates(t *testing.T) {
	s := newSkipping(t, false)
	s.cfg.Durable = true
	s.must(s.cfg.Store.Stop(t.Context(), "j", state.AnyStage, job.Failed, job.Failure{Message: "no"}))
	stale := s.step("j")
	s.must(s.cfg.Store.Keep(t.Context(), "j", stale.job.Stage, time.Hour))
	s.must(s.Retry(t.Context(), "j"))
	before := s.workFiles()
	if err := stale.cleanUp(t.Context()); !errors.Is(err, state.ErrIllegal) {
		t.Errorf("cleaned up: %v", err)
	}
	if err := stale.deleteFolders(t.Context(), s.records("j").Folders()); !errors.Is(err, state.ErrIllegal) {
		t.Errorf("deleted: %v", err)
	}
	if after := s.workFiles(); len(before) == 0 || !maps.Equal(before, after) {
		t.Errorf("the work store has %q, had %q", after, before)
	}
}

// workFiles is everything on the work store.
func (s skipping) workFiles() map[string]string {
	s.t.Helper()
	files := map[string]string{}
	s.must(walkFiles(os.DirFS(filepath.Join(s.folder, "work")), func(name string, text []byte) { files[name] = string(text) }))
	return files
}

// A _SUCCESS of a late publisher, about what a retry then threw away, is replaced.
func TestSuccessOfAnEarlierPublication(t *testing.T) {
	s := newSkipping(t, false)
	s.write(map[string]string{layout.SuccessName: `{"job":"j","records":7,"parts":[{"name":"part-00000","bytes":7}]}`})
	s.must(s.step("j").publish(t.Context()))
	if text := s.whole()[layout.SuccessName]; !strings.Contains(text, `"records": 0`) {
		t.Errorf("_SUCCESS says %s", text)
	}
}

// replaced runs a hook after a bucket has written an object for the first time.
type replaced struct {
	objstore.Bucket
	after func(key string)
}

func (b replaced) PutIfAbsent(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	o, err := b.Bucket.PutIfAbsent(ctx, key, data)
	b.after(key)
	return o, err
}

// A publisher whose job was cancelled takes back its _SUCCESS, but not that of the next job in the
// output.
func TestCancelledPublisherMeetsTheNextJob(t *testing.T) {
	for _, next := range []bool{false, true} {
		s := newSkipping(t, false)
		after := func(key string) {
			if filepath.Base(key) != layout.SuccessName {
				return
			}
			s.must(s.cfg.Store.Stop(t.Context(), "j", state.AnyStage, job.Cancelled, job.Failure{}))
			if next {
				s.write(map[string]string{layout.SuccessName: `{"job":"k"}`})
			}
		}
		plain := s.cfg.Open
		s.cfg.Open = func(ctx context.Context, url string) (objstore.Bucket, string, error) {
			b, key, err := plain(ctx, url)
			return replaced{b, after}, key, err
		}
		if err := s.step("j").publish(t.Context()); !errors.Is(err, state.ErrIllegal) {
			t.Errorf("published: %v", err)
		}
		if _, left := s.whole()[layout.SuccessName]; left != next {
			t.Errorf("with another job there: %t, a _SUCCESS is left: %t", next, left)
		}
	}
}

// A job whose output the store refuses permanently fails: unlike an outage of Redis, that does not
// go away.
func TestPublishingIsRefused(t *testing.T) {
	s := newSkipping(t, false)
	plain := s.cfg.Open
	s.cfg.Open = func(ctx context.Context, url string) (objstore.Bucket, string, error) {
		b, key, err := plain(ctx, url)
		return denying{b}, key, err
	}
	s.must(s.step("j").publish(t.Context()))
	if j := s.job("j"); j.State != job.Failed {
		t.Errorf("it is %s", j.State)
	}
}

// denying is a bucket that completes no upload.
type denying struct{ objstore.Bucket }

func (denying) Complete(context.Context, objstore.Upload) (objstore.Object, error) {
	return objstore.Object{}, objstore.ErrDenied
}

// A job publishes nothing if Redis has lost its lock and another job has taken it.
func TestOutputIsAnothersAtPublication(t *testing.T) {
	s := newSkipping(t, false)
	publishing := s.step("j")
	s.must(publishing.unlockOutput(t.Context()))
	_, err := s.cfg.Store.Submit(t.Context(), "k", "", 0, publishing.job.Spec)
	s.must(err)
	owned, err := s.step("k").takeOutput(t.Context())
	s.must(err)
	s.must(publishing.publish(t.Context()))
	j := s.job("j")
	if !owned || j.State != job.Failed || len(s.whole()) > 0 {
		t.Errorf("it is %s: %v; the output has %q", j.State, j.Error, s.whole())
	}
}

// A failover may send back a job whose output another job has replaced since. What the other job
// wrote stays, even if its parts are the same.
func TestOutputWasTakenOver(t *testing.T) {
	for name, test := range map[string]struct {
		there string
		stays bool
	}{
		"the job that it replaces":  {`{"job":"before"}`, false},
		"of no job":                 {`{}`, false},
		"a job that came afterward": {`{"job":"k"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSkipping(t, true)
			s.complete() // the parts of the other job are the same
			s.write(map[string]string{layout.SuccessName: test.there})
			before := s.whole()

			s.must(s.step("j").publish(t.Context()))
			cleanup := s.step("j")
			s.must(cleanup.cleanUp(t.Context()))
			j := cleanup.job
			if failed := j.State == job.Failed; failed != test.stays {
				t.Errorf("it is %s: %v", j.State, j.Error)
			}
			if same := maps.Equal(before, s.whole()); same != test.stays {
				t.Errorf("the output has %q, had %q", s.whole(), before)
			}
		})
	}
}

// A late request of a publisher from before Redis lost the job may complete another attempt's part
// over ours, and somebody may abort our upload. If the object there has not the bytes of our part,
// the task is done again.
func TestPartThatAnotherAttemptWrote(t *testing.T) {
	const nothing = "nothing" // is there
	for text, want := range map[string]job.State{"": job.Completed, "other\n": job.Reducing, nothing: job.Reducing} {
		s := newSkipping(t, false)
		publishing := s.step("j")
		parts, _, err := publishing.parts(t.Context())
		s.must(err)
		s.must(publishing.out.bucket.Abort(t.Context(), parts[1].upload))
		if text != nothing {
			s.write(map[string]string{layout.PartName(1): text})
		}
		s.must(publishing.publish(t.Context()))
		if j := s.job("j"); j.State != want {
			t.Errorf("with %q in its place it is %s: %+v", text, j.State, j.Error)
		}
		if want == job.Completed {
			continue
		}
		s.perform(1)
		s.must(s.step("j").publish(t.Context()))
		if j := s.job("j"); j.State != job.Completed || s.whole()[layout.PartName(1)] != "" {
			t.Errorf("done again it is %s: %+v, %q", j.State, j.Error, s.whole())
		}
	}
}
