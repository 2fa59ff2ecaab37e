package objstoretest

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"
)

// oddNames are in byte order. None is the folder of another: MinIO can't store both.
var oddNames = []string{
	" leading space", "!", "#hash", "%41", "%zz", "&amp;<x>", "'\"", "(1)", "+plus+", "=", "?query=1", "@", "A",
	"a b", "a!b", "a+b", "a-b", "a.b", "a/b", "a/c d/e", "a0b", "a:b", "a;b", "a_b", "a~b", "b", "trailing space ",
	"~tilde", "ä", "é", "日本語", "🙂",
}

func inFolder(prefix string, names []string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = prefix + name
	}
	return keys
}

func (s *suite) delete(t *testing.T) {
	b, prefix := s.bucket(t)
	put(t, b, prefix+"a", "x")
	put(t, b, prefix+"b", "x")
	put(t, b, prefix+"folder/c", "x")
	if err := b.Delete(t.Context()); err != nil {
		t.Errorf("Delete of no keys: %v", err)
	}
	if err := b.Delete(t.Context(), prefix+"a", prefix+"missing", prefix+"folder/c", prefix+"folder"); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, b, prefix+"a")
	if got, want := list(t, b, prefix), []string{prefix + "b"}; !slices.Equal(got, want) {
		t.Errorf("left: %q", got)
	}
}

// listManyDeleteMany needs more than a page of List and a batch of Delete.
func (s *suite) listManyDeleteMany(t *testing.T) {
	const n = 1500
	b, prefix := s.bucket(t)
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("%s%d/%d", prefix, i%7, i))
	}
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(16)
	for _, key := range keys {
		g.Go(func() error {
			_, err := b.Put(ctx, key, nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	if got := list(t, s.open(t), prefix); !slices.Equal(got, keys) {
		t.Errorf("List gives %d of %d keys, or in another order", len(got), n)
	}
	seen := 0
	for _, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 1200 {
			break
		}
	}
	if seen != 1200 {
		t.Errorf("stopped after %d", seen)
	}
	if err := b.Delete(t.Context(), append(keys, prefix+"missing")...); err != nil {
		t.Fatal(err)
	}
	if got := list(t, b, prefix); len(got) != 0 {
		t.Errorf("%d keys are left", len(got))
	}
}

func (s *suite) listOrder(t *testing.T) {
	b, prefix := s.bucket(t)
	want := inFolder(prefix, oddNames)
	if !slices.IsSorted(want) {
		t.Fatal("oddNames are not in byte order")
	}
	for _, key := range slices.Backward(want) {
		put(t, b, key, "x")
	}
	if got := list(t, b, prefix); !slices.Equal(got, want) {
		t.Errorf("List gives %q, not %q", got, want)
	}
}

func (s *suite) listPrefix(t *testing.T) {
	b, prefix := s.bucket(t)
	for _, key := range inFolder(prefix, []string{"part-1", "part-2", "part/x", "parts/y", "other", "par/z"}) {
		put(t, b, key, "x")
	}
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"par", []string{"par/z", "part-1", "part-2", "part/x", "parts/y"}},
		{"part", []string{"part-1", "part-2", "part/x", "parts/y"}},
		{"part/", []string{"part/x"}},
		{"part-", []string{"part-1", "part-2"}},
		{"part-1", []string{"part-1"}},
		{"part-1/", nil},
		{"parts/y", []string{"parts/y"}},
		{"zzz", nil},
	} {
		got := list(t, b, prefix+c.prefix)
		if want := inFolder(prefix, c.want); !slices.Equal(got, want) {
			t.Errorf("List(%q) gives %q, not %q", c.prefix, got, want)
		}
	}
}
