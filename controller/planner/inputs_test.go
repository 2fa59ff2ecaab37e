package planner

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
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

func opener(t *testing.T) objstore.Opener {
	t.Helper()
	stores, err := connect.New(connect.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, url string) (objstore.Bucket, string, error) { return stores.Open(ctx, url) }
}

// paths are the sorted paths of the inputs below a folder.
func paths(root string, in inputs) string {
	var got []string
	for _, o := range in.objects {
		got = append(got, strings.TrimPrefix(o.URL, "file://"+root+"/"))
	}
	slices.Sort(got)
	return strings.Join(got, " ")
}

func TestInputs(t *testing.T) {
	root := writeTree(t, "a.txt", "b.txt", "b.log", ".hidden.txt", "_tmp/c.txt", "sub/d.txt", "sub/deep/e.txt", "other/f.txt",
		"y=1/m=1/g", "y=1/m=2/h", "y=1/m=2/_SUCCESS", "y=1/m=2/deep/i", "y=1/m=3", "y=2/n=1/j",
		"i[1].txt", "i1.txt", "j{x}/k", "*/l", "_job/_SUCCESS", "_job/part-00000", `m\*`)
	// Other places must not matter.
	for _, link := range []string{"other/.#lock", "other/dangling.txt", ".#lock"} {
		if err := os.Symlink("nowhere", filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, c := range map[string]struct {
		want       string
		passedOver int
	}{
		"a.txt":            {"a.txt", 0},
		"?.txt":            {"a.txt b.txt", 0},
		"[ab].{txt,log}":   {"a.txt b.log b.txt", 0},
		"sub":              {"sub/d.txt sub/deep/e.txt", 0},
		"sub/":             {"sub/d.txt sub/deep/e.txt", 0},
		"sub/*":            {"sub/d.txt sub/deep/e.txt", 0},
		"sub/*.txt":        {"sub/d.txt", 0},
		"sub/*/":           {"sub/deep/e.txt", 0},
		"sub/**":           {"sub/d.txt sub/deep/e.txt", 0},
		"s*/**/*.txt":      {"sub/d.txt sub/deep/e.txt", 0},
		"{sub,_tmp}/?.txt": {"sub/d.txt", 0},
		"_tmp/*":           {"_tmp/c.txt", 0},
		".hidden.txt":      {".hidden.txt", 0},
		"y=*/m=*":          {"y=1/m=1/g y=1/m=2/deep/i y=1/m=2/h y=1/m=3", 1},
		"y=*/m=*/":         {"y=1/m=1/g y=1/m=2/deep/i y=1/m=2/h", 1},
		"y=*/m=*/*":        {"y=1/m=1/g y=1/m=2/deep/i y=1/m=2/h", 1},
		"y=*/m=*/*/":       {"y=1/m=2/deep/i", 0},
		"y=1/{m=1,m=2/d*}": {"y=1/m=1/g y=1/m=2/deep/i", 0},
		"y=*/**/":          {"y=1/m=1/g y=1/m=2/deep/i y=1/m=2/h y=1/m=3 y=2/n=1/j", 1},
		"**/m=2":           {"y=1/m=2/deep/i y=1/m=2/h", 1},
		"i[1].txt":         {"i[1].txt", 0},
		`i\[1\].txt`:       {"i[1].txt", 0},
		"i[12].txt":        {"i1.txt", 0},
		"i*.txt":           {"i1.txt i[1].txt", 0},
		"j{x}":             {"j{x}/k", 0},
		"j{x}/":            {"j{x}/k", 0},
		`j\{x\}/*`:         {"j{x}/k", 0},
		"*":                {"*/l", 0},
		`\*/l`:             {"*/l", 0},
		`m\*`:              {`m\*`, 0},
		"_job":             {"_job/part-00000", 1},
		"_job/*":           {"_job/part-00000", 1},
		"_job/p*":          {"_job/part-00000", 0},
	} {
		in, err := findInputs(t.Context(), opener(t), WorkArea{}, []string{root + "/" + pattern})
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if s := paths(root, in); s != c.want || in.passedOver != c.passedOver {
			t.Errorf("%s: got %s and passed %d over, wanted %s and %d", pattern, s, in.passedOver, c.want, c.passedOver)
		}
	}
}

func TestInputsThatAreNotThere(t *testing.T) {
	root := writeTree(t, "a.txt", "hidden/_done", "hidden/.x/y", "nothing/_SUCCESS")
	if err := os.Symlink("nowhere", filepath.Join(root, "dangling.dat")); err != nil {
		t.Fatal(err)
	}
	for location, word := range map[string]string{
		"b.txt": "no such object", "*.log": "matches the glob", "[": "malformed", "*.dat": "leads nowhere",
		"hidden": "begins with _ or . (2 objects", "hidden/*": "begins with _ or . (2 objects",
		"nofolder/": "no such object", "a.txt/b": "no such object", "[a.txt/": "malformed", "a[1].txt": `write \[`,
	} {
		location = root + "/" + location
		_, err := findInputs(t.Context(), opener(t), WorkArea{}, []string{filepath.Join(root, "a.txt"), location})
		if err == nil || !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), location) {
			t.Errorf("got %v, wanted an error that names %s and says %q", err, location, word)
		}
	}
}

// Objects without bytes are inputs.
func TestEmptyInputs(t *testing.T) {
	root := writeTree(t, "a.txt")
	for _, name := range []string{"empty.txt", "empty/x", "empty/y.gz"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		locations   []string
		want, empty string
	}{
		{[]string{"empty.txt"}, "empty.txt", "empty.txt"},
		{[]string{"empty.txt", "a.txt"}, "a.txt empty.txt", "empty.txt"},
		{[]string{"a.txt", "empty", "empty/*"}, "a.txt empty/x empty/y.gz", "empty empty/*"},
		{[]string{"*"}, "a.txt empty.txt empty/x empty/y.gz", ""},
	} {
		var locations, empty []string
		for _, l := range c.locations {
			locations = append(locations, filepath.Join(root, l))
		}
		in, err := findInputs(t.Context(), opener(t), WorkArea{}, locations)
		if err != nil {
			t.Errorf("%s: %v", c.locations, err)
			continue
		}
		for _, l := range in.empty {
			empty = append(empty, strings.TrimPrefix(l, root+"/"))
		}
		if got := paths(root, in); got != c.want || strings.Join(empty, " ") != c.empty {
			t.Errorf("%s: got %s, of them empty %s", c.locations, got, empty)
		}
		for _, maps := range []int{0, 3} {
			p, err := PreviewJob(t.Context(), opener(t), nil, job.Spec{
				Program: "wordcount", Kind: "builtin", Input: job.Inputs(locations...), Output: root + ".out", Format: "text", Maps: maps,
			}, 1)
			if err != nil || p.Maps != 1 && p.Bytes == 0 || p.Reducers != 1 {
				t.Errorf("%s, %d maps: %+v, %v", c.locations, maps, p, err)
			}
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
		{16 << 20, 0, 4}, // 4 slots are assumed
		{16 << 20, 1000, 4},
		{200 << 20, 1, 4},
		{200 << 20, 2, 8}, // 4 waves of 25 MiB
		{200 << 20, 8, 8}, // one wave: in two, splits would have less than 16 MiB
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
		{1 << 40, 100_000, 16384}, // splits don't become smaller than 64 MiB
		{100 << 40, 1000, 20480},
	} {
		size := splitSizeFor(c.bytes, c.slots, maxWaves)
		if maps := (c.bytes + size - 1) / size; maps < c.maps || maps > c.maps+c.maps/100 {
			t.Errorf("%d bytes, %d slots: splits of %d bytes, %d maps, wanted %d", c.bytes, c.slots, size, maps, c.maps)
		}
	}
	if size := splitSizeFor(200<<20, 2, 2); size != 50<<20 {
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

// Counting map tasks ends where no job may have more.
func TestTooManyTasks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil { // without blocks on the disk
		t.Fatal(err)
	}
	_, err := PreviewJob(t.Context(), opener(t), nil, job.Spec{
		Program: "wordcount", Kind: "builtin", Input: job.Inputs(path), Output: path + ".out", Format: "text", SplitSize: 1,
	}, 1)
	if err == nil || !strings.Contains(err.Error(), "use a larger split size") {
		t.Errorf("a map task for each byte of 1 TiB: %v", err)
	}
}

// Outputs of jobs below a folder are skipped, unless they are named or matched. Outputs of other
// programs, and the folder itself, are read.
func TestInputsPassOverOutputs(t *testing.T) {
	root := writeTree(t, "a.txt", "out/part-00000", "out/deep/b.txt", "spark/part-0", "deep/out2/part-00000", "deep/c.txt", "only/out3/part-00000")
	for name, text := range map[string]string{
		"out/_SUCCESS": "{\n \"job\": \"j1\",\n \"parts\": []\n}\n", "deep/out2/_SUCCESS": `{"job":"j2"}`, "only/out3/_SUCCESS": `{"job": "j3"}`,
		"spark/_SUCCESS": "",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for location, c := range map[string]struct {
		want    string
		outputs int
	}{
		"":          {"a.txt deep/c.txt spark/part-0", 3},
		"deep":      {"deep/c.txt", 1},
		"out/":      {"out/deep/b.txt out/part-00000", 0},
		"only/*":    {"only/out3/part-00000", 0},
		"**/part-*": {"deep/out2/part-00000 only/out3/part-00000 out/part-00000 spark/part-0", 0},
	} {
		in, err := findInputs(t.Context(), opener(t), WorkArea{}, []string{root + "/" + location})
		if err != nil {
			t.Errorf("%q: %v", location, err)
			continue
		}
		if s := paths(root, in); s != c.want || in.outputs != c.outputs {
			t.Errorf("%q: got %s and skipped %d outputs, wanted %s and %d", location, s, in.outputs, c.want, c.outputs)
		}
	}
	_, err := findInputs(t.Context(), opener(t), WorkArea{}, []string{root + "/only/"})
	if err == nil || !strings.Contains(err.Error(), "folders with outputs of jobs") {
		t.Errorf("nothing but an output: %v", err)
	}
}

// A folder without anything to read is an empty input: an empty folder, or an output without parts.
func TestEmptyFolders(t *testing.T) {
	root := writeTree(t, "output/_SUCCESS")
	if err := os.Mkdir(filepath.Join(root, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{"output", "empty", "empty/"} {
		in, err := findInputs(t.Context(), opener(t), WorkArea{}, []string{root + "/" + location})
		if err != nil || len(in.objects) > 0 || len(in.empty) != 1 {
			t.Errorf("%s: %+v, %v", location, in, err)
		}
	}
}
