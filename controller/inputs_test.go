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
	"github.com/bucketmill/bucketmill/state"
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
		{1, 1000, 1},
		{16 << 20, 1, 1},
		{16 << 20, 0, 4}, // 4 slots are expected to come
		{16 << 20, 1000, 4},
		{200 << 20, 1, 4},
		{200 << 20, 2, 8}, // 4 waves of 25 MiB
		{200 << 20, 8, 8}, // one: two would be of less than 16 MiB
		{200 << 20, 16, 16},
		{200 << 20, 1000, 50}, // splits of 4 MiB
		{500 << 20, 2, 8},
		{500 << 20, 0, 16},
		{4 << 30, 2, 64}, // splits of 64 MiB
		{4 << 30, 100, 200},
		{4 << 30, 100_000, 1024},
		{16 << 30, 0, 256},
		{17 << 30, 2, 264},
		{1 << 40, 0, 2048},
		{1 << 40, 100, 2048},
		{1 << 40, 2000, 8000},
		{1 << 40, 100_000, 16384}, // splits get no smaller than 64 MiB
		{100 << 40, 1000, 20480},
	} {
		size := splitSizeFor(c.bytes, c.slots, maxWaves)
		if maps := (c.bytes + size - 1) / size; maps < c.maps || maps > c.maps+c.maps/100 {
			t.Errorf("%d bytes, %d slots: splits of %d bytes, %d maps, wanted %d", c.bytes, c.slots, size, maps, c.maps)
		}
	}
	if size := splitSizeFor(200<<20, 2, commandWaves); size != 50<<20 {
		t.Errorf("commands get splits of %d bytes", size)
	}
	before := splitSizeFor(1, 7, maxWaves)
	for bytes := int64(1); bytes < 1<<50; bytes += 1 + bytes/64 {
		size := splitSizeFor(bytes, 7, maxWaves)
		if float64(size) < 0.45*float64(before) || float64(size) > 1.1*float64(before) {
			t.Errorf("at %d bytes splits jump from %d to %d bytes", bytes, before, size)
		}
		before = size
	}
}

// TestTooManyTasks wants an end to the counting of map tasks that no job may have.
func TestTooManyTasks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil { // without a block on the disk
		t.Fatal(err)
	}
	_, err := PreviewJob(t.Context(), opener(t), state.Spec{
		Program: "wordcount", Kind: "builtin", Input: []string{path}, Output: path + ".out", Format: "text", SplitSize: 1,
	}, 1)
	if err == nil || !strings.Contains(err.Error(), "use a larger split size") {
		t.Errorf("a map task for each byte of 1 TiB: %v", err)
	}
}
