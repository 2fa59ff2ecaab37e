package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/file"
)

// damaging flips a bit in each of the first bodies that are read.
type damaging struct {
	objstore.Bucket
	left  int // bodies still to damage
	reads int
}

func (b *damaging) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	b.reads++
	r, err := b.Bucket.Get(ctx, key, offset, length)
	if err != nil || b.left == 0 {
		return r, err
	}
	b.left--
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	data[len(data)/2] ^= 1
	return io.NopCloser(bytes.NewReader(data)), nil
}

func TestResolve(t *testing.T) {
	folder, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const limit = 10
	for _, payload := range []string{"", "short", strings.Repeat("long ", 100)} {
		for damaged, wantReads := range []int{1, 2, 3, 3} {
			b := &damaging{Bucket: folder}
			ref, err := objstore.Refer(t.Context(), b, "folder/key", []byte(payload), limit)
			if err != nil {
				t.Fatal(err)
			}
			b.left = damaged
			got, err := objstore.Resolve(t.Context(), b, ref)
			switch {
			case len(payload) <= limit:
				if err != nil || string(got) != payload || b.reads != 0 {
					t.Errorf("payload of %d bytes: got %q after %d reads, %v", len(payload), got, b.reads, err)
				}
				continue
			case damaged == 3:
				if !errors.Is(err, objstore.ErrCorrupt) || !strings.Contains(err.Error(), folder.URL()+"/folder/key") ||
					!strings.Contains(err.Error(), "read 3 times") {
					t.Errorf("always damaged: %v", err)
				}
			case err != nil || string(got) != payload:
				t.Errorf("damaged %d times: got %q, %v", damaged, got, err)
			}
			if b.reads != wantReads {
				t.Errorf("damaged %d times: %d reads, not %d", damaged, b.reads, wantReads)
			}
		}
	}
	for _, ref := range []string{"", "x", "s", "s1234"} {
		if _, err := objstore.Resolve(t.Context(), folder, []byte(ref)); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("reference %q: %v", ref, err)
		}
	}
}
