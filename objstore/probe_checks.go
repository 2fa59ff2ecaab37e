package objstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// probe keeps track of what it leaves in the store. Its methods check one capability each: they
// return what they tried, or how the store fell short.
type probe struct {
	bucket  Bucket
	folder  string   // a prefix of its own, with a slash at its end
	keys    []string // perhaps in the store
	uploads []Upload
}

func (p *probe) key(name string) string {
	key := p.folder + name
	p.keys = append(p.keys, key)
	return key
}

// expect reads a range.
func (p *probe) expect(ctx context.Context, key string, offset, length int64, want []byte) error {
	r, err := p.bucket.Get(ctx, key, offset, length)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(io.LimitReader(r, int64(len(want))+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes from %d on give %q, not %q", length, offset, got, want)
	}
	return nil
}

func (p *probe) readAfterWrite(ctx context.Context) (string, error) {
	const rounds = 5
	for i := range rounds {
		key, data := p.key(fmt.Sprintf("fresh-%d", i)), fmt.Appendf(nil, "fresh %d", i)
		if _, err := p.bucket.Put(ctx, key, data); err != nil {
			return "", err
		}
		o, err := p.bucket.Stat(ctx, key)
		if err != nil {
			return "", err
		}
		if o.Size != int64(len(data)) {
			return "", fmt.Errorf("stat gives %d bytes, not %d", o.Size, len(data))
		}
		if err := p.expect(ctx, key, 0, -1, data); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d objects read back at once", rounds), nil
}

func (p *probe) overwrite(ctx context.Context) (string, error) {
	const rounds = 5
	key := p.key("overwritten")
	for i := range rounds {
		data := fmt.Appendf(nil, "version %d", i)
		if _, err := p.bucket.Put(ctx, key, data); err != nil {
			return "", err
		}
		if err := p.expect(ctx, key, 0, -1, data); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d versions, each read back at once", rounds), nil
}

func (p *probe) ranges(ctx context.Context) (string, error) {
	digits, empty := p.key("digits"), p.key("empty")
	if _, err := p.bucket.Put(ctx, digits, []byte("0123456789")); err != nil {
		return "", err
	}
	if _, err := p.bucket.Put(ctx, empty, nil); err != nil {
		return "", err
	}
	for _, c := range []struct {
		key            string
		offset, length int64
		want           string
	}{
		{digits, 0, 1, "0"},
		{digits, 3, 4, "3456"},
		{digits, 7, -1, "789"},
		{digits, 8, 100, "89"},
		{digits, 10, -1, ""},
		{digits, 10, 5, ""},
		{empty, 0, -1, ""},
		{empty, 0, 5, ""},
	} {
		if err := p.expect(ctx, c.key, c.offset, c.length, []byte(c.want)); err != nil {
			return "", err
		}
	}
	if err := p.expect(ctx, digits, 11, -1, nil); !errors.Is(err, ErrRange) {
		return "", fmt.Errorf("a range past the end gives %w, not ErrRange", orNone(err))
	}
	return "middle, end, at the end, past the end, empty object", nil
}

var errNone = errors.New("no error")

func orNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

// seal leaves an upload behind.
func (p *probe) seal(ctx context.Context, key string, data []byte) (Upload, error) {
	w, err := p.bucket.Create(ctx, key)
	if err != nil {
		return Upload{}, err
	}
	if _, err := w.Write(data); err != nil {
		return Upload{}, errors.Join(err, w.Abort())
	}
	u, err := w.Seal()
	if err == nil {
		p.uploads = append(p.uploads, u)
	}
	return u, err
}

// absent checks that a key can't be seen.
func (p *probe) absent(ctx context.Context, key string) error {
	if _, err := p.bucket.Stat(ctx, key); !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("stat gives %w, not ErrNotFound", orNone(err))
	}
	for o, err := range p.bucket.List(ctx, key) {
		if err != nil {
			return err
		}
		return fmt.Errorf("it is listed as %q", o.Key)
	}
	return nil
}

func (p *probe) hiddenUpload(ctx context.Context) (string, error) {
	key, data := p.key("sealed"), []byte("sealed")
	u, err := p.seal(ctx, key, data)
	if err != nil {
		return "", err
	}
	if err := p.absent(ctx, key); err != nil {
		return "", fmt.Errorf("before completion: %w", err)
	}
	if _, err := p.bucket.Complete(ctx, u); err != nil {
		return "", err
	}
	if err := p.expect(ctx, key, 0, -1, data); err != nil {
		return "", err
	}
	return "invisible when sealed, readable once completed", nil
}

func (p *probe) completeTwice(ctx context.Context) (string, error) {
	key := p.key("twice")
	u, err := p.seal(ctx, key, []byte("twice"))
	if err != nil {
		return "", err
	}
	for range 2 {
		if _, err := p.bucket.Complete(ctx, u); err != nil {
			return "", err
		}
	}
	return "the second time succeeds like the first", nil
}

func (p *probe) abort(ctx context.Context) (string, error) {
	gone, kept := p.key("aborted"), p.key("kept")
	u, err := p.seal(ctx, gone, []byte("aborted"))
	if err != nil {
		return "", err
	}
	for range 2 {
		if err := p.bucket.Abort(ctx, u); err != nil {
			return "", err
		}
	}
	if _, err := p.bucket.Complete(ctx, u); !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("completing an aborted upload gives %w, not ErrNotFound", orNone(err))
	}
	if u, err = p.seal(ctx, kept, []byte("kept")); err != nil {
		return "", err
	}
	if _, err := p.bucket.Complete(ctx, u); err != nil {
		return "", err
	}
	if err := p.bucket.Abort(ctx, u); err != nil {
		return "", err
	}
	if err := p.expect(ctx, kept, 0, -1, []byte("kept")); err != nil {
		return "", fmt.Errorf("after aborting a completed upload: %w", err)
	}
	return "an aborted upload is gone, a completed one stays", nil
}

func (p *probe) listOrder(ctx context.Context) (string, error) {
	want := []string{"order/A", "order/a b", "order/a-b", "order/a.b", "order/a/b", "order/a0", "order/b", "order/ä"}
	for i, name := range want {
		want[i] = p.key(name)
	}
	for _, key := range slices.Backward(want) {
		if _, err := p.bucket.Put(ctx, key, nil); err != nil {
			return "", err
		}
	}
	var got []string
	for o, err := range p.bucket.List(ctx, p.folder+"order/") {
		if err != nil {
			return "", err
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		return "", fmt.Errorf("it gives %q, not %q", got, want)
	}
	return fmt.Sprintf("%d keys, sorted by their bytes", len(want)), nil
}

func (p *probe) conditionalPuts(ctx context.Context) (string, error) {
	const writers, rounds = 16, 4
	for round := range rounds {
		key := p.key(fmt.Sprintf("race-%d", round))
		errs := make([]error, writers)
		content := func(writer int) []byte { return fmt.Appendf(nil, "writer %d of round %d", writer, round) }
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() { _, errs[i] = p.bucket.PutIfAbsent(ctx, key, content(i)) })
		}
		wg.Wait()
		var winners []int
		for i, err := range errs {
			switch {
			case err == nil:
				winners = append(winners, i)
			case !errors.Is(err, ErrExists):
				return "", err
			}
		}
		if len(winners) != 1 {
			return "", fmt.Errorf("%d of %d racing writers won", len(winners), writers)
		}
		if err := p.expect(ctx, key, 0, -1, content(winners[0])); err != nil {
			return "", fmt.Errorf("not the winner's object: %w", err)
		}
	}
	return fmt.Sprintf("%d rounds of %d racing writers, one winner each", rounds, writers), nil
}
