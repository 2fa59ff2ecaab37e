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

// whole is everything that can be seen of the output.
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

// retryOnce fails the job, cleans up after it, and brings it to where it is published again.
func (s skipping) retryOnce() {
	s.t.Helper()
	s.cfg.KeepFailed = time.Hour
	s.must(s.cfg.Store.Stop(s.t.Context(), "j", state.AnyStage, job.Failed, job.Failure{Message: "no"}))
	job, spec := s.job("j")
	s.must(s.cleanUp(s.t.Context(), job, spec))
	s.must(s.Retry(s.t.Context(), "j"))
	s.perform(2)
}

// A controller that was held up while it published, until the job had failed and was retried, does
// nothing any more of what it was about to.
func TestLatePublisher(t *testing.T) {
	s := newSkipping(t, false)
	stale, spec := s.job("j")
	s.retryOnce()
	if err := s.publish(t.Context(), stale, spec); !errors.Is(err, state.ErrIllegal) {
		t.Errorf("published: %v", err)
	}
	if err := s.fail(t.Context(), stale, errors.New("the store is away")); !errors.Is(err, state.ErrIllegal) {
		t.Errorf("failed: %v", err)
	}
	for name := range s.whole() {
		if !strings.HasPrefix(name, "part-") { // which are what the next one publishes, too
			t.Errorf("there is %s", name)
		}
	}
	j, _ := s.job("j")
	if j.Phase != job.PhasePublish {
		t.Fatalf("it is in phase %s", j.Phase)
	}
	s.must(s.publish(t.Context(), j, spec))
	if j, _ = s.job("j"); j.State != job.Completed {
		t.Errorf("it is %s", j.State)
	}
}

// One that was held up while it cleaned up leaves the output alone that a retry has written, were its parts
// the same byte for byte.
func TestLateCleanUp(t *testing.T) {
	for _, when := range []string{"before it reads what was committed", "before it deletes _SUCCESS", "before it deletes parts"} {
		t.Run(when, func(t *testing.T) {
			s := newSkipping(t, false)
			j, spec := s.job("j")
			out, prefix, err := s.cfg.Open(t.Context(), spec.Output)
			s.must(err)
			parts, _, err := s.parts(t.Context(), j)
			s.must(err)
			s.complete(out, parts)
			s.must(s.cfg.Store.Stop(t.Context(), "j", state.AnyStage, job.Failed, job.Failure{Message: "no"}))
			stale, _ := s.job("j")

			s.cfg.KeepFailed = time.Hour
			s.must(s.cleanUp(t.Context(), stale, spec))
			s.must(s.Retry(t.Context(), "j"))
			s.perform(2)
			j, _ = s.job("j")
			s.must(s.publish(t.Context(), j, spec))
			want := s.whole()
			if len(want) != 2+1+len(aside) {
				t.Fatalf("the output has %q", want)
			}

			switch when {
			case "before it reads what was committed":
				err = s.cleanUp(t.Context(), stale, spec)
			case "before it deletes _SUCCESS":
				err = s.cleanOutput(t.Context(), stale, spec)
			default:
				parts, _, err = s.parts(t.Context(), stale)
				s.must(err)
				err = errors.Join(s.unpublishSkipped(t.Context(), stale, out, prefix), s.unpublish(t.Context(), stale, out, parts))
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

// Nor does it remove what the job needs that goes on.
func TestLateCleanUpLeavesIntermediates(t *testing.T) {
	s := newSkipping(t, false)
	s.cfg.Durable = true
	s.must(s.cfg.Store.Stop(t.Context(), "j", state.AnyStage, job.Failed, job.Failure{Message: "no"}))
	stale, spec := s.job("j")
	s.must(s.cfg.Store.Keep(t.Context(), "j", stale.Stage, time.Hour))
	s.must(s.Retry(t.Context(), "j"))
	before := s.workFiles()
	if err := s.cleanUp(t.Context(), stale, spec); !errors.Is(err, state.ErrIllegal) {
		t.Errorf("cleaned up: %v", err)
	}
	if err := s.deleteFolders(t.Context(), stale, s.records("j").Folders()); !errors.Is(err, state.ErrIllegal) {
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

// A _SUCCESS that a late publisher has written of what a retry then threw away is replaced.
func TestSuccessOfAnEarlierPublication(t *testing.T) {
	s := newSkipping(t, false)
	s.write(map[string]string{layout.SuccessName: `{"job":"j","records":7,"parts":[{"name":"part-00000","bytes":7}]}`})
	job, spec := s.job("j")
	s.must(s.publish(t.Context(), job, spec))
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

// A publisher whose job was cancelled takes its _SUCCESS back, but not that of the next job there.
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
		job, spec := s.job("j")
		if err := s.publish(t.Context(), job, spec); !errors.Is(err, state.ErrIllegal) {
			t.Errorf("published: %v", err)
		}
		if _, left := s.whole()[layout.SuccessName]; left != next {
			t.Errorf("with another job there: %t, a _SUCCESS is left: %t", next, left)
		}
	}
}

// A job whose output the store refuses for good fails: that is no trouble with Redis, which may pass.
func TestPublishingIsRefused(t *testing.T) {
	s := newSkipping(t, false)
	j, spec := s.job("j")
	plain := s.cfg.Open
	s.cfg.Open = func(ctx context.Context, url string) (objstore.Bucket, string, error) {
		b, key, err := plain(ctx, url)
		return denying{b}, key, err
	}
	s.must(s.publish(t.Context(), j, spec))
	if j, _ = s.job("j"); j.State != job.Failed {
		t.Errorf("it is %s", j.State)
	}
}

// denying is a bucket that completes no upload.
type denying struct{ objstore.Bucket }

func (denying) Complete(context.Context, objstore.Upload) (objstore.Object, error) {
	return objstore.Object{}, objstore.ErrDenied
}

// A job whose lock Redis has lost, and another one has taken, publishes nothing.
func TestOutputIsAnothersAtPublication(t *testing.T) {
	s := newSkipping(t, false)
	j, spec := s.job("j")
	s.must(s.unlockOutput(t.Context(), "j", spec))
	_, err := s.cfg.Store.Submit(t.Context(), "k", "", 0, j.Spec)
	s.must(err)
	owned, err := s.takeOutput(t.Context(), "k", spec)
	s.must(err)
	s.must(s.publish(t.Context(), j, spec))
	j, _ = s.job("j")
	if !owned || j.State != job.Failed || len(s.whole()) > 0 {
		t.Errorf("it is %s: %v; the output has %q", j.State, j.Error, s.whole())
	}
}

// A failover may send a job back whose output another has replaced since. What that one wrote stays, also
// where its parts are the same.
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
			j, spec := s.job("j")
			out, _, err := s.cfg.Open(t.Context(), spec.Output)
			s.must(err)
			parts, _, err := s.parts(t.Context(), j)
			s.must(err)
			s.complete(out, parts) // those of the other are the same
			s.write(map[string]string{layout.SuccessName: test.there})
			before := s.whole()

			s.must(s.publish(t.Context(), j, spec))
			j, _ = s.job("j")
			s.must(s.cleanUp(t.Context(), j, spec))
			if failed := j.State == job.Failed; failed != test.stays {
				t.Errorf("it is %s: %v", j.State, j.Error)
			}
			if same := maps.Equal(before, s.whole()); same != test.stays {
				t.Errorf("the output has %q, had %q", s.whole(), before)
			}
		})
	}
}

// A late request of a publisher before Redis lost the job may complete another attempt's part over ours, and somebody
// may abort our upload. What is there is what ours would be, or the task is done again.
func TestPartThatAnotherAttemptWrote(t *testing.T) {
	const nothing = "nothing" // is there
	for text, want := range map[string]job.State{"": job.Completed, "other\n": job.Reducing, nothing: job.Reducing} {
		s := newSkipping(t, false)
		j, spec := s.job("j")
		parts, _, err := s.parts(t.Context(), j)
		s.must(err)
		out, _, err := s.cfg.Open(t.Context(), spec.Output)
		s.must(err)
		s.must(out.Abort(t.Context(), parts[1].upload))
		if text != nothing {
			s.write(map[string]string{layout.PartName(1): text})
		}
		s.must(s.publish(t.Context(), j, spec))
		if j, _ = s.job("j"); j.State != want {
			t.Errorf("with %q in its place it is %s: %+v", text, j.State, j.Error)
		}
		if want == job.Completed {
			continue
		}
		s.perform(1)
		j, _ = s.job("j")
		s.must(s.publish(t.Context(), j, spec))
		if j, _ = s.job("j"); j.State != job.Completed || s.whole()[layout.PartName(1)] != "" {
			t.Errorf("done again it is %s: %+v, %q", j.State, j.Error, s.whole())
		}
	}
}
