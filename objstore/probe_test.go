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
	onceOnly      struct{ objstore.Bucket }
	closed        struct {
		objstore.Bucket
		left int // puts until the store closes
	}
)

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
	if _, err := b.Stat(ctx, u.Key); err == nil {
		return objstore.Object{}, objstore.ErrNotFound
	}
	return b.Bucket.Complete(ctx, u)
}

func (b *closed) Put(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	if b.left--; b.left < 0 {
		return objstore.Object{}, objstore.ErrDenied
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
		{"list order", func(b objstore.Bucket) objstore.Bucket { return unordered{b} }, true},
		{"complete twice", func(b objstore.Bucket) objstore.Bucket { return onceOnly{b} }, true},
	} {
		t.Run(c.lacks, func(t *testing.T) {
			b := folder(t)
			report, err := objstore.Probe(t.Context(), c.lessen(b), "some/prefix")
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range report.All() {
				if found.OK != (found.Name != c.lacks) {
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
	_, err := objstore.Probe(t.Context(), &closed{b, 3}, "")
	if !errors.Is(err, objstore.ErrDenied) {
		t.Errorf("a store that closes: %v", err)
	}
	wantEmpty(t, b)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = objstore.Probe(ctx, b, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	wantEmpty(t, b)
}
