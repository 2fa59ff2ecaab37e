package file_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestPruneOnlyOwnFolders(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/theirs", 0o755); err != nil {
		t.Fatal(err)
	}
	b := open(t, root)
	ctx := t.Context()
	for _, key := range []string{"theirs/ours/deep/key", "theirs/ours/other"} {
		if _, err := b.Put(ctx, key, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Delete(ctx, "theirs/ours/deep/key"); err != nil {
		t.Fatal(err)
	}
	if exists(t, root+"/theirs/ours/deep") || !exists(t, root+"/theirs/ours") {
		t.Error("an empty folder is left, or one with a file is removed")
	}
	if err := open(t, root).Delete(ctx, "theirs/ours/other"); err != nil {
		t.Fatal(err)
	}
	if !exists(t, root+"/theirs/ours") {
		t.Error("another Bucket's folder is removed")
	}
	w, err := b.Create(ctx, "theirs/new/key")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if exists(t, root+"/theirs/new") || !exists(t, root+"/theirs") {
		t.Error("Abort leaves its folder, or removes one that it did not make")
	}
}

// TestPruneRace makes and removes the same folder in many goroutines.
func TestPruneRace(t *testing.T) {
	root := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		b, key := open(t, root), "a/b/"+string(rune('a'+i))
		wg.Go(func() {
			for range 30 {
				if _, err := b.Put(t.Context(), key, []byte("x")); err != nil {
					t.Error(err)
				}
				if err := b.Delete(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestNamesInTheWay(t *testing.T) {
	root := t.TempDir()
	b := open(t, root)
	ctx := t.Context()
	if _, err := b.Put(ctx, "folder/file", nil); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"folder", "folder/file/below", "folder/", "a//b", "../up", "a/./b", "zero\x00byte",
		"folder/.bm-0123456789ABCDEF.file.pending", strings.Repeat("x", 227), strings.Repeat("x", 300),
	} {
		_, err := b.Put(ctx, key, nil)
		if !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Put of %q: %v", key, err)
		}
		_, err = b.PutIfAbsent(ctx, key, nil)
		if !errors.Is(err, objstore.ErrInvalid) && !errors.Is(err, objstore.ErrExists) {
			t.Errorf("PutIfAbsent of %q: %v", key, err)
		}
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// TestForgedHandles checks that handles which Create did not make change nothing.
func TestForgedHandles(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/victim")
	b := open(t, root)
	for _, id := range []string{"victim", "../victim", ".bm-0123456789ABCDEF.other.pending", ".bm-0123456789ABCDEF./../victim.pending"} {
		u := objstore.Upload{Key: "key", ID: id, Parts: []objstore.Part{{Number: 1}}}
		if err := b.Abort(t.Context(), u); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Abort of %q: %v", id, err)
		}
		if _, err := b.Complete(t.Context(), u); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Complete of %q: %v", id, err)
		}
	}
	if !exists(t, root+"/victim") {
		t.Error("the victim is gone")
	}
}
