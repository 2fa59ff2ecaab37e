package controller

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// requestsAtOnce is how many requests a controller has under way for one job.
const requestsAtOnce = 32

// each calls do for all elements, up to requestsAtOnce at a time. It returns the first error, which
// cancels the context of the other calls.
func each[T any](ctx context.Context, all iter.Seq[T], do func(context.Context, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for v := range all {
		g.Go(func() error { return do(ctx, v) })
	}
	return g.Wait()
}

// untilError yields the elements before the first error, and stores that in err.
func untilError[T any](all iter.Seq2[T, error], err *error) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v, e := range all {
			if e != nil {
				*err = e
				return
			}
			if !yield(v) {
				return
			}
		}
	}
}

// below yields the numbers from 0 to n-1.
func below(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func isNotFound(err error) bool { return errors.Is(err, objstore.ErrNotFound) }

// beginsWith reports whether an object exists and begins with a text.
func beginsWith(ctx context.Context, b objstore.Bucket, key, text string) (bool, error) {
	head, err := readHead(ctx, b, key, int64(len(text)))
	if isNotFound(err) {
		return false, nil
	}
	return string(head) == text, err
}

// readHead reads up to n bytes from the start of an object.
func readHead(ctx context.Context, b objstore.Bucket, key string, n int64) (head []byte, err error) {
	r, err := b.Get(ctx, key, 0, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

// deleteAll removes every object and unfinished upload under a prefix, a page at a time.
func deleteAll(ctx context.Context, b objstore.Bucket, prefix string) error {
	const page = 1000
	keys := make([]string, 0, page)
	for o, err := range b.List(ctx, prefix) {
		if isNotFound(err) {
			break
		}
		if err != nil {
			return err
		}
		if keys = append(keys, o.Key); len(keys) == page {
			if err := b.Delete(ctx, keys...); err != nil {
				return err
			}
			keys = keys[:0]
		}
	}
	if err := b.Delete(ctx, keys...); err != nil {
		return err
	}
	return abortAll(ctx, b, prefix)
}

// abortAll aborts every unfinished upload under a prefix.
func abortAll(ctx context.Context, b objstore.Bucket, prefix string) error {
	for u, err := range b.Uploads(ctx, prefix) {
		if isNotFound(err) {
			break
		}
		if err != nil {
			return err
		}
		if err := b.Abort(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// losses gathers attempts of which the store has lost or damaged something that the publication
// needs. It is safe for concurrent use.
type losses struct {
	mu   sync.Mutex
	lost []state.Lost // guarded by mu
}

func (l *losses) add(a job.AttemptID, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, state.Lost{Attempt: a, Why: why.Error()})
}

// sorted returns the attempts by task, each once: Redis may list an entry twice.
func (l *losses) sorted() []state.Lost {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortFunc(l.lost, func(a, b state.Lost) int { return compareTasks(a.Attempt.Task, b.Attempt.Task) })
	return slices.CompactFunc(l.lost, func(a, b state.Lost) bool { return a.Attempt == b.Attempt })
}

func compareTasks(a, b job.TaskID) int {
	return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.Index, b.Index))
}
