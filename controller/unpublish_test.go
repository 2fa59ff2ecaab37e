package controller

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// trusting says that it completed an upload that is gone, if any object has its key, as VersityGW
// does.
type trusting struct{ objstore.Bucket }

func (b trusting) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	o, err := b.Bucket.Complete(ctx, u)
	if there, statErr := b.Stat(ctx, u.Key); errors.Is(err, objstore.ErrNotFound) && statErr == nil {
		return there, nil
	}
	return o, err
}

// unmarked does not say who made its objects.
type unmarked struct{ objstore.Bucket }

func (b unmarked) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	_, err := b.Bucket.Complete(ctx, u)
	return objstore.Object{}, errors.Join(objstore.ErrNotFound, objstore.ErrUnproven, err)
}

func (unmarked) Made(context.Context, objstore.Upload) (bool, error) {
	return false, objstore.ErrUnproven
}

// A job that is cancelled while it replaces another job's output takes back what it wrote, and
// leaves the other job's parts, even those with the same bytes.
func TestUnpublishTakesBackItsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		wrap func(objstore.Bucket) objstore.Bucket
		left []string
		told error
	}{
		"by the contract": {func(b objstore.Bucket) objstore.Bucket { return b }, []string{"part-00001"}, nil},
		"trusting":        {func(b objstore.Bucket) objstore.Bucket { return trusting{b} }, []string{"part-00001"}, nil},
		"unmarked":        {func(b objstore.Bucket) objstore.Bucket { return unmarked{b} }, []string{"part-00000", "part-00001"}, objstore.ErrUnproven},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSkipping(t, true)
			s.write(map[string]string{layout.PartName(0): "", layout.PartName(1): ""})
			var told error
			s.cfg.Abandoned = func(_ job.ID, what string, err error) { told = errors.Join(told, err) }
			open := s.cfg.Open
			s.cfg.Open = func(ctx context.Context, url string) (objstore.Bucket, string, error) {
				b, key, err := open(ctx, url)
				return test.wrap(b), key, err
			}
			publishing := s.step("j")
			parts, _, err := publishing.parts(t.Context())
			s.must(err)
			if lost, err := publishing.out.complete(t.Context(), parts[:1]); err != nil || len(lost) > 0 {
				t.Fatal(lost, err)
			}
			s.must(s.cfg.Store.Stop(t.Context(), "j", state.AnyStage, job.Cancelled, job.Failure{}))
			s.must(s.step("j").cleanUp(t.Context()))
			if left := slices.Sorted(maps.Keys(s.whole())); !slices.Equal(left, test.left) {
				t.Errorf("left: %q, not %q", left, test.left)
			}
			if !errors.Is(told, test.told) {
				t.Errorf("reported %v, not %v", told, test.told)
			}
		})
	}
}

// A part is not published if the store says that it completed the part, but another object is in
// its place.
func TestPartsThatAreNotThere(t *testing.T) {
	s := newSkipping(t, true)
	publishing := s.step("j")
	parts, _, err := publishing.parts(t.Context())
	s.must(err)
	out := publishing.out
	s.must(out.bucket.Abort(t.Context(), parts[1].upload))
	s.write(map[string]string{layout.PartName(1): "old"})
	out.bucket = trusting{out.bucket}
	lost, err := out.complete(t.Context(), parts)
	if err == nil && len(lost) == 0 {
		t.Error("the old part was taken for the job's")
	}
}
