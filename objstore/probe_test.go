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

// Each of these lacks one thing that the contract asks for.
type (
	unconditional struct{ objstore.Bucket }
	rangeless     struct{ objstore.Bucket }
	unordered     struct{ objstore.Bucket }
	forgetful     struct{ objstore.Bucket }
	strewn        struct{ objstore.Bucket }
	onceOnly      struct{ objstore.Bucket }
	solid         struct{ objstore.Bucket }
	trusting      struct{ objstore.Bucket }
	markless      struct{ objstore.Bucket }
	unversioned   struct{ objstore.Bucket }
	closed        struct {
		objstore.Bucket
		left int   // puts until the store closes
		why  error // of the puts that it refuses then
	}
)

// forgetful leaves the second key out of a listing.
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

// strewn lists keys in the order of their last bytes.
func (b strewn) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		var all []objstore.Object
		for o, err := range b.Bucket.List(ctx, prefix) {
			if err != nil {
				yield(o, err)
				return
			}
			all = append(all, o)
		}
		slices.SortFunc(all, func(a, b objstore.Object) int { return strings.Compare(a.Key[len(a.Key)-1:], b.Key[len(b.Key)-1:]) })
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

// Seal refuses what has no bytes.
func (w *solidWriter) Seal() (objstore.Upload, error) {
	u, err := w.Writer.Seal()
	if err == nil && u.Size == 0 {
		return u, errors.Join(objstore.ErrInvalid, w.abort(u))
	}
	return u, err
}

// Complete says "completed" where there is any object.
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
	return func(yield func(objstore.Object, error) bool) {
		var all []objstore.Object
		for o, err := range b.Bucket.List(ctx, prefix) {
			if err != nil {
				yield(o, err)
				return
			}
			all = append(all, o)
		}
		for _, o := range slices.Backward(all) {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (b onceOnly) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	if _, err := b.Stat(ctx, u.Key); err == nil && strings.HasSuffix(u.Key, "/twice") {
		return objstore.Object{}, objstore.ErrNotFound
	}
	return b.Bucket.Complete(ctx, u)
}

func (b *closed) Put(ctx context.Context, key string, data []byte) (objstore.Object, error) {
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
		lessen func(objstore.Bucket) objstore.Bucket
		fatal  bool
	}{
		{"nothing", func(b objstore.Bucket) objstore.Bucket { return b }, false},
		{"conditional puts", func(b objstore.Bucket) objstore.Bucket { return unconditional{b} }, false},
		{"ranges", func(b objstore.Bucket) objstore.Bucket { return rangeless{b} }, true},
		{"list order", func(b objstore.Bucket) objstore.Bucket { return unordered{b} }, false},
		{"listing", func(b objstore.Bucket) objstore.Bucket { return forgetful{b} }, true},
		{"listing, list order", func(b objstore.Bucket) objstore.Bucket { return strewn{b} }, true},
		{"complete twice", func(b objstore.Bucket) objstore.Bucket { return onceOnly{b} }, true},
		{"empty uploads", func(b objstore.Bucket) objstore.Bucket { return solid{b} }, true},
		{"late completions", func(b objstore.Bucket) objstore.Bucket { return trusting{b} }, true},
		{"own objects", func(b objstore.Bucket) objstore.Bucket { return markless{b} }, false},
		{"versions", func(b objstore.Bucket) objstore.Bucket { return unversioned{b} }, false},
	} {
		t.Run(c.lacks, func(t *testing.T) {
			b := folder(t)
			report, err := objstore.Probe(t.Context(), c.lessen(b), "some/prefix")
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
		report, err := objstore.Probe(t.Context(), &closed{b, 0, why}, "")
		if !errors.Is(err, why) || !strings.HasPrefix(err.Error(), want) || len(report.Found) > 0 {
			t.Errorf("a store that is closed gives %v, not %q, and finds %v", err, want, report.Found)
		}
	}
	wantEmpty(t, b)

	// What one check meets is no reason to leave out the others.
	for _, why := range []error{objstore.ErrDenied, objstore.ErrUnavailable, objstore.ErrThrottled} {
		report, err := objstore.Probe(t.Context(), &closed{b, 3, why}, "")
		if err != nil || len(report.Found) != 13 || !strings.Contains(report.String(), why.Error()) || report.Err() == nil {
			t.Errorf("a store that closes gives %v and\n%v", err, report)
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
