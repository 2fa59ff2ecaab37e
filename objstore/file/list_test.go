package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/file"
)

func open(t *testing.T, root string) *file.Bucket {
	t.Helper()
	b, err := file.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, b objstore.Bucket, prefix string) (keys []string, err error) {
	t.Helper()
	for o, err := range b.List(t.Context(), prefix) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

func TestListFollowsLinks(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/data/a/file")
	write(t, root+"/elsewhere/other")
	link(t, "a/file", root+"/data/link")
	link(t, "../elsewhere", root+"/data/folder")
	link(t, "..", root+"/data/a/loop")
	got, err := list(t, open(t, root), "data/")
	if want := []string{"data/a/file", "data/folder/other", "data/link"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if o, err := open(t, root).Stat(t.Context(), "data/link"); err != nil || o.Size != 1 {
		t.Errorf("Stat of a link: %+v, %v", o, err)
	}
}

func TestListNamesDanglingLink(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/a")
	link(t, "nowhere", root+"/b")
	write(t, root+"/c")
	got, err := list(t, open(t, root), "")
	if !errors.Is(err, objstore.ErrNotFound) || !strings.Contains(err.Error(), root+"/b") {
		t.Errorf("the error is %v", err)
	}
	if !slices.Equal(got, []string{"a"}) {
		t.Errorf("before the error: %q", got)
	}
}

func TestRootOfFileSystem(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/a")
	b := open(t, "/")
	if b.URL() != "file://" {
		t.Errorf("URL is %q", b.URL())
	}
	prefix := strings.TrimPrefix(root, "/") + "/"
	got, err := list(t, b, prefix)
	if err != nil || !slices.Equal(got, []string{prefix + "a"}) {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = b.Stat(t.Context(), prefix+"missing")
	if err == nil || !strings.Contains(err.Error(), "file://"+root+"/missing") {
		t.Errorf("the error is %v", err)
	}
}
