package objstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// probe checks a store and remembers what it leaves there. Each method that is a check tests one
// capability; it returns what it tried, or how the store failed.
type probe struct {
	bucket  Bucket
	folder  string   // the prefix of all keys, with a trailing slash
	keys    []string // may exist in the store
	uploads []Upload // may exist in the store
	listed  []string // the keys that the check of listing saw
}

// key returns a key in the folder, to be deleted at the end.
func (p *probe) key(name string) string {
	key := p.folder + name
	p.keys = append(p.keys, key)
	return key
}

// expect reads a range and compares it with want.
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
		return fmt.Errorf("%d bytes at offset %d are %q, not %q", length, offset, got, want)
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
		return "", fmt.Errorf("a range past the end gives \"%w\", not ErrRange", orNone(err))
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

// seal makes a sealed upload, to be aborted at the end.
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

// absent checks that no object is visible under a key.
func (p *probe) absent(ctx context.Context, key string) error {
	if _, err := p.bucket.Stat(ctx, key); !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("stat gives \"%w\", not ErrNotFound", orNone(err))
	}
	for o, err := range p.bucket.List(ctx, key) {
		if err != nil {
			return err
		}
		return fmt.Errorf("it is listed as %q", o.Key)
	}
	return nil
}

// versions checks that what names a version changes with the content, and with it only.
func (p *probe) versions(ctx context.Context) (string, error) {
	key := p.key("versions")
	etags := make([]string, 2)
	for i := range etags {
		put, err := p.bucket.Put(ctx, key, fmt.Appendf(nil, "version %d", i))
		if err != nil {
			return "", err
		}
		o, err := p.bucket.Stat(ctx, key)
		if err != nil {
			return "", err
		}
		if o.ETag == "" || o.ETag != put.ETag {
			return "", fmt.Errorf("stat gives the ETag %q, the put before it gave %q", o.ETag, put.ETag)
		}
		etags[i] = o.ETag
	}
	if etags[0] == etags[1] {
		return "", fmt.Errorf("the ETag stays %q when the content changes", etags[0])
	}
	r, err := p.bucket.GetVersion(ctx, key, etags[0], 0, -1)
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(r, 1<<10))
		err = errors.Join(err, r.Close())
	}
	if !errors.Is(err, ErrChanged) {
		return "", fmt.Errorf("reading a version that was replaced gives \"%w\", not ErrChanged", orNone(err))
	}
	return "the ETag changes with the content, and a version that was replaced can't be read", nil
}

// complete accepts ErrUnproven: ownObjects reports that.
func (p *probe) complete(ctx context.Context, u Upload) error {
	_, err := p.bucket.Complete(ctx, u)
	if errors.Is(err, ErrUnproven) {
		return nil
	}
	return err
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
	if err := p.complete(ctx, u); err != nil {
		return "", err
	}
	if err := p.expect(ctx, key, 0, -1, data); err != nil {
		return "", err
	}
	return "invisible when sealed, readable once completed", nil
}

func (p *probe) emptyUpload(ctx context.Context) (string, error) {
	key := p.key("nothing")
	u, err := p.seal(ctx, key, nil)
	if err == nil {
		err = p.complete(ctx, u)
	}
	if err == nil {
		err = p.expect(ctx, key, 0, -1, nil)
	}
	if err != nil {
		return "", err
	}
	return "an upload of no bytes becomes an empty object", nil
}

func (p *probe) completeTwice(ctx context.Context) (string, error) {
	key := p.key("twice")
	u, err := p.seal(ctx, key, []byte("twice"))
	if err != nil {
		return "", err
	}
	for range 2 {
		if err := p.complete(ctx, u); err != nil {
			return "", err
		}
	}
	return "the second completion succeeds like the first", nil
}

// lateCompletions does what a delayed process does. In these cases some stores answer that they
// have completed an upload although they have not.
func (p *probe) lateCompletions(ctx context.Context) (string, error) {
	key := p.key("late")
	refused := func(u Upload, what string) error {
		_, err := p.bucket.Complete(ctx, u)
		if !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("completing an upload %s gives \"%w\", not ErrNotFound", what, orNone(err))
		}
		return nil
	}
	for _, old := range []string{"old, and of another size", "mine"} {
		if _, err := p.bucket.Put(ctx, key, []byte(old)); err != nil {
			return "", err
		}
		u, err := p.seal(ctx, key, []byte("mine"))
		if err == nil {
			err = p.bucket.Abort(ctx, u)
		}
		if err == nil {
			err = refused(u, "that was aborted, with another object under its key,")
		}
		if err == nil {
			err = p.expect(ctx, key, 0, -1, []byte(old))
		}
		if err != nil {
			return "", err
		}
	}
	u, err := p.seal(ctx, key, []byte("mine"))
	if err == nil {
		err = p.complete(ctx, u)
	}
	if err == nil {
		_, err = p.bucket.Put(ctx, key, []byte("them"))
	}
	if err == nil {
		err = refused(u, "whose object was replaced")
	}
	if err == nil {
		err = p.expect(ctx, key, 0, -1, []byte("them"))
	}
	if err == nil {
		err = p.bucket.Delete(ctx, key)
	}
	if err == nil {
		err = refused(u, "whose object was deleted")
	}
	if err == nil {
		err = p.absent(ctx, key)
	}
	if err != nil {
		return "", err
	}
	return "refused if the upload was aborted, or its object replaced or deleted", nil
}

// ownObjects completes two uploads of the same bytes, one after the other.
func (p *probe) ownObjects(ctx context.Context) (string, error) {
	key := p.key("own")
	var uploads []Upload
	for range 2 {
		u, err := p.seal(ctx, key, []byte("own"))
		if err == nil {
			err = p.complete(ctx, u)
		}
		if err != nil {
			return "", err
		}
		uploads = append(uploads, u)
	}
	for i, u := range uploads {
		if made, err := p.bucket.Made(ctx, u); err != nil || made != (i == 1) {
			return "", errors.Join(err, fmt.Errorf("the store does not tell which of two uploads of the same bytes made the object (%d: %t)", i, made))
		}
	}
	return "two uploads of the same bytes can be told apart", nil
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
		return "", fmt.Errorf("completing an aborted upload gives \"%w\", not ErrNotFound", orNone(err))
	}
	if u, err = p.seal(ctx, kept, []byte("kept")); err != nil {
		return "", err
	}
	if err := p.complete(ctx, u); err != nil {
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

func (p *probe) listing(ctx context.Context) (string, error) {
	names := []string{"order/A", "order/a b", "order/a-b", "order/a.b", "order/a/b", "order/a/c/d", "order/a/e", "order/a0", "order/b", "order/ä"}
	want := make([]string, len(names))
	for i, name := range names {
		want[i] = p.key(name)
	}
	for _, key := range slices.Backward(want) {
		if _, err := p.bucket.Put(ctx, key, nil); err != nil {
			return "", err
		}
	}
	p.listed = nil
	for o, err := range p.bucket.List(ctx, p.folder+"order/") {
		if err != nil {
			return "", err
		}
		p.listed = append(p.listed, o.Key)
	}
	if got := slices.Sorted(slices.Values(p.listed)); !slices.Equal(got, want) {
		return "", fmt.Errorf("list gives %q, not %q", got, want)
	}
	outside := func(key string) bool { return !strings.HasPrefix(key, p.folder+"order/a/") }
	folder := p.listed[slices.IndexFunc(p.listed, func(key string) bool { return !outside(key) }):]
	if end := slices.IndexFunc(folder, outside); end >= 0 && slices.ContainsFunc(folder[end:], func(key string) bool { return !outside(key) }) {
		return "", fmt.Errorf("the keys of a folder are not adjacent: %q", p.listed)
	}
	return fmt.Sprintf("%d keys, each once, those of a folder together", len(want)), nil
}

// listOrder checks the order of the keys that listing saw.
func (p *probe) listOrder(context.Context) (string, error) {
	if len(p.listed) == 0 {
		return "", errors.New("nothing was listed")
	}
	if !slices.IsSorted(p.listed) {
		return "", fmt.Errorf("list gives %q, not in byte order", p.listed)
	}
	return "keys are in byte order", nil
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
			return "", fmt.Errorf("the object is not the winner's: %w", err)
		}
	}
	return fmt.Sprintf("%d rounds of %d racing writers, one winner each", rounds, writers), nil
}
