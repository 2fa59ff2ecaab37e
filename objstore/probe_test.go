package objstore_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/file"
)

// Each of these breaks one promise of the contract.
type (
	unconditional struct{ objstore.Bucket } // PutIfAbsent replaces
	rangeless     struct{ objstore.Bucket } // Get ignores the range
	unordered     struct{ objstore.Bucket } // List goes backward
	forgetful     struct{ objstore.Bucket } // List omits a key
	scattering    struct{ objstore.Bucket } // List separates the keys of a folder
	onceOnly      struct{ objstore.Bucket } // Complete fails the second time
	solid         struct{ objstore.Bucket } // Seal refuses an empty object
	trusting      struct{ objstore.Bucket } // Complete succeeds if there is any object
	markless      struct{ objstore.Bucket } // Made can't tell
	unversioned   struct{ objstore.Bucket } // Stat returns no ETag
	closing       struct {                  // Put fails after a while
		objstore.Bucket
		left int   // puts until then
		why  error // the error of later puts
	}
)

// List omits the second key.
func (b forgetful) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		n := 0
		for o, err := range b.Bucket.List(ctx, prefix) {
			if n++; n != 2 && !yield(o, err) {
				return
			}
		}
	}
}

// List orders keys by their last byte.
func (b scattering) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return reordered(b.Bucket.List(ctx, prefix), func(objects []objstore.Object) {
		slices.SortFunc(objects, func(a, b objstore.Object) int { return strings.Compare(a.Key[len(a.Key)-1:], b.Key[len(b.Key)-1:]) })
	})
}

// reordered lists the same objects in another order.
func reordered(listing iter.Seq2[objstore.Object, error], reorder func([]objstore.Object)) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		var all []objstore.Object
		for o, err := range listing {
			if err != nil {
				yield(o, err)
				return
			}
			all = append(all, o)
		}
		reorder(all)
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

type solidWriter struct {
	objstore.Writer
	abort func(objstore.Upload) error
}

func (b solid) Create(ctx context.Context, key string) (objstore.Writer, error) {
	w, err := b.Bucket.Create(ctx, key)
	return &solidWriter{w, func(u objstore.Upload) error { return b.Abort(ctx, u) }}, err
}

// Seal refuses an empty object.
func (w *solidWriter) Seal() (objstore.Upload, error) {
	u, err := w.Writer.Seal()
	if err == nil && u.Size == 0 {
		return u, errors.Join(objstore.ErrInvalid, w.abort(u))
	}
	return u, err
}

// Complete reports success if there is any object under the key.
func (b trusting) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	o, err := b.Bucket.Complete(ctx, u)
	if there, statErr := b.Stat(ctx, u.Key); errors.Is(err, objstore.ErrNotFound) && statErr == nil {
		return there, nil
	}
	return o, err
}

func (b markless) Made(context.Context, objstore.Upload) (bool, error) {
	return false, objstore.ErrUnproven
}

func (b unversioned) Stat(ctx context.Context, key string) (objstore.Object, error) {
	o, err := b.Bucket.Stat(ctx, key)
	o.ETag = ""
	return o, err
}

func (b unconditional) PutIfAbsent(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	return b.Put(ctx, key, data)
}

func (b rangeless) Get(ctx context.Context, key string, _, _ int64) (io.ReadCloser, error) {
	return b.Bucket.Get(ctx, key, 0, -1)
}

func (b unordered) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return reordered(b.Bucket.List(ctx, prefix), slices.Reverse)
}

func (b onceOnly) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	if _, err := b.Stat(ctx, u.Key); err == nil && strings.HasSuffix(u.Key, "/twice") {
		return objstore.Object{}, objstore.ErrNotFound
	}
	return b.Bucket.Complete(ctx, u)
}

func (b *closing) Put(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	if b.left--; b.left < 0 {
		return objstore.Object{}, b.why
	}
	return b.Bucket.Put(ctx, key, data)
}

func folder(t *testing.T) *file.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantEmpty(t *testing.T, b objstore.Bucket) {
	t.Helper()
	for o, err := range b.List(t.Context(), "") {
		t.Errorf("left: %q, %v", o.Key, err)
	}
	for u, err := range b.Uploads(t.Context(), "") {
		t.Errorf("left: upload %q, %v", u.Key, err)
	}
}

func TestProbeFindsWhatIsLacking(t *testing.T) {
	for _, c := range []struct {
		lacks  string
		weaken func(objstore.Bucket) objstore.Bucket
		fatal  bool
	}{
		{"nothing", func(b objstore.Bucket) objstore.Bucket { return b }, false},
		{"conditional puts", func(b objstore.Bucket) objstore.Bucket { return unconditional{b} }, false},
		{"ranges", func(b objstore.Bucket) objstore.Bucket { return rangeless{b} }, true},
		{"list order", func(b objstore.Bucket) objstore.Bucket { return unordered{b} }, false},
		{"listing", func(b objstore.Bucket) objstore.Bucket { return forgetful{b} }, true},
		{"listing, list order", func(b objstore.Bucket) objstore.Bucket { return scattering{b} }, true},
		{"complete twice", func(b objstore.Bucket) objstore.Bucket { return onceOnly{b} }, true},
		{"empty uploads", func(b objstore.Bucket) objstore.Bucket { return solid{b} }, true},
		{"late completions", func(b objstore.Bucket) objstore.Bucket { return trusting{b} }, true},
		{"own objects", func(b objstore.Bucket) objstore.Bucket { return markless{b} }, false},
		{"versions", func(b objstore.Bucket) objstore.Bucket { return unversioned{b} }, false},
	} {
		t.Run(c.lacks, func(t *testing.T) {
			b := folder(t)
			report, err := objstore.Probe(t.Context(), c.weaken(b), "some/prefix")
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range report.Found {
				if found.OK == slices.Contains(strings.Split(c.lacks, ", "), found.Name) {
					t.Errorf("%+v", found)
				}
			}
			if err := report.Err(); c.fatal != errors.Is(err, objstore.ErrNotSupported) {
				t.Errorf("Err gives %v", err)
			}
			if s := report.String(); c.fatal != strings.Contains(s, "LACKING") || !strings.Contains(s, b.URL()) {
				t.Errorf("String gives %s", s)
			}
			wantEmpty(t, b)
		})
	}
}

func TestProbeOutOfReach(t *testing.T) {
	b := folder(t)
	for why, want := range map[error]string{
		objstore.ErrDenied:      "probe: access denied",
		objstore.ErrUnavailable: "probe: store does not answer properly",
		objstore.ErrNotFound:    "there is no bucket " + b.URL() + ": make it first",
	} {
		report, err := objstore.Probe(t.Context(), &closing{b, 0, why}, "")
		if !errors.Is(err, why) || !strings.HasPrefix(err.Error(), want) || len(report.Found) > 0 {
			t.Errorf("a store that refuses writes gives %v, not %q, and %v", err, want, report.Found)
		}
	}
	wantEmpty(t, b)

	// If one check fails, the others are still made.
	for _, why := range []error{objstore.ErrDenied, objstore.ErrUnavailable, objstore.ErrThrottled} {
		report, err := objstore.Probe(t.Context(), &closing{b, 3, why}, "")
		if err != nil || len(report.Found) != 13 || !strings.Contains(report.String(), why.Error()) || report.Err() == nil {
			t.Errorf("a store that begins to refuse writes gives %v and\n%v", err, report)
		}
		wantEmpty(t, b)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := objstore.Probe(ctx, b, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	wantEmpty(t, b)
}
