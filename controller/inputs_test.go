package controller

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
)

func writeTree(t *testing.T, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func opener(t *testing.T) Opener {
	t.Helper()
	stores, err := connect.New(connect.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, url string) (objstore.Bucket, string, error) { return stores.Open(ctx, url) }
}

func TestInputs(t *testing.T) {
	root := writeTree(t, "a.txt", "b.txt", "b.log", ".hidden.txt", "_tmp/c.txt", "sub/d.txt", "sub/deep/e.txt", "other/f.txt")
	// Places that are not asked for must not matter.
	for _, link := range []string{"other/.#lock", "other/dangling.txt", ".#lock"} {
		if err := os.Symlink("nowhere", filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{
		"a.txt":            "a.txt",
		"*.txt":            "a.txt b.txt",
		"[ab].{txt,log}":   "a.txt b.log b.txt",
		"sub":              "sub/d.txt sub/deep/e.txt",
		"sub/":             "sub/d.txt sub/deep/e.txt",
		"sub/*":            "sub/d.txt",
		"sub/**":           "sub/d.txt sub/deep/e.txt",
		"s*/**/*.txt":      "sub/d.txt sub/deep/e.txt",
		"{sub,_tmp}/?.txt": "sub/d.txt",
		"_tmp/*":           "_tmp/c.txt",
		".hidden.txt":      ".hidden.txt",
	} {
		objects, err := inputs(t.Context(), opener(t), []string{filepath.Join(root, pattern)})
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		var got []string
		for _, o := range objects {
			got = append(got, strings.TrimPrefix(o.URL, "file://"+root+"/"))
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %s, wanted %s", pattern, s, want)
		}
	}
}

func TestInputsThatAreNotThere(t *testing.T) {
	root := writeTree(t, "a.txt")
	if err := os.WriteFile(filepath.Join(root, "empty.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(root, "dangling.dat")); err != nil {
		t.Fatal(err)
	}
	for location, word := range map[string]string{
		"b.txt": "no such object", "*.log": "no object matches", "empty.txt": "empty", "[": "malformed", "*.dat": "leads nowhere",
	} {
		location = filepath.Join(root, location)
		_, err := inputs(t.Context(), opener(t), []string{filepath.Join(root, "a.txt"), location})
		if err == nil || !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), location) {
			t.Errorf("got %v, wanted an error that names %s and says %q", err, location, word)
		}
	}
}

func TestReducersGrowWithTheInput(t *testing.T) {
	for bytes, want := range map[int64]int{
		1: 1, 64 << 20: 1, 64<<20 + 1: 2, 1 << 30: 16, 16 << 30: 256, 1 << 40: 2048, 100 << 40: 20480,
	} {
		if got := reducersFor(bytes); got != want {
			t.Errorf("%d bytes: %d reducers, wanted %d", bytes, got, want)
		}
	}
}

func TestSplitsGrowWithTheInput(t *testing.T) {
	for _, c := range []struct {
		bytes int64
		slots int
		maps  int64
	}{
		{17 << 30, 2, 264},
		{1 << 40, 0, 2048},
		{1 << 40, 100, 2048},
		{1 << 40, 2000, 8000},
		{1 << 40, 100_000, 16384}, // splits get no smaller than those of other inputs
		{100 << 40, 1000, 20480},
	} {
		size := largeSplitFor(c.bytes, c.slots)
		if maps := (c.bytes + size - 1) / size; maps < c.maps || maps > c.maps+c.maps/100 {
			t.Errorf("%d bytes, %d slots: splits of %d bytes, %d maps, wanted %d", c.bytes, c.slots, size, maps, c.maps)
		}
	}
	if size := splitSizeFor(largeInput); size != largeSplitFor(largeInput+1, 1) {
		t.Errorf("splits jump from %d to %d bytes", size, largeSplitFor(largeInput+1, 1))
	}
}
