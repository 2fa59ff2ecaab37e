package planner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// named is a bucket of which only the name is used.
type named struct {
	objstore.Bucket
	url string
}

func (n named) URL() string { return n.url }

// nowhere opens buckets of S3 to which no request must go.
func nowhere(_ context.Context, location string) (objstore.Bucket, string, error) {
	u, err := objstore.ParseURL(location)
	return named{url: u.BucketURL()}, u.Key, err
}

func TestOverlapOfLocations(t *testing.T) {
	for _, c := range []struct{ input, output, how string }{
		{"s3://box/logs", "s3://box/logs", "also"},
		{"s3://box/logs", "s3://box/logs/", "also"},
		{"s3://box/logs/", "s3://box/logs", "also"},
		{"s3://box/logs", "s3://box/logs/out", "is in"},
		{"s3://box/logs/", "s3://box/logs/a/b", "is in"},
		{"s3://box", "s3://box/out", "is in"},
		{"s3://box/", "s3://box/", "also"},
		{"s3://box/logs/a.txt", "s3://box/", "contains"},
		{"s3://box/logs/a.txt", "s3://box/logs", "contains"},
		{"s3://box/logs//a.txt", "s3://box/logs", "contains"},
		{"s3://box/out/part-00000", "s3://box/out", "contains"},
		{"s3://box/out/*", "s3://box/out", "contains"},
		{"s3://box/out/*.txt", "s3://box/out", "contains"},
		{"s3://box/out/old/**", "s3://box/out", "contains"},
		{"s3://box/**", "s3://box/out", "match the"},
		{"s3://box/*", "s3://box/out", "match the"},
		{"s3://box/*/", "s3://box/out", "match the"},
		{"s3://box/o*", "s3://box/out/deep", "match the"},
		{"s3://box/*/part-*", "s3://box/out", "match the"},
		{"s3://box/*/part-0000[1-9]", "s3://box/out", "match the"},
		{"s3://box/{in,out}/p*", "s3://box/out", "match the"},
		{"s3://box/**/part-00007", "s3://box/a/b/c", "match the"},
		{`s3://box/\*/*`, "s3://box/*/out", "match the"},
		{"s3://box/i[1]", "s3://box/i[1]/out", "is in"},
		{"s3://box/i[1]/", "s3://box/i1/out", "match the"},

		{"s3://box/logs", "s3://box/logs2", ""},
		{"s3://box/logs2", "s3://box/logs", ""},
		{"s3://box/logs2/", "s3://box/logs/", ""},
		{"s3://box/logs", "s3://other/logs", ""},
		{"s3://box", "s3://other", ""},
		{"s3://box/data/a.txt", "s3://box/data/out", ""},
		{"s3://box/data/*.txt", "s3://box/data/out", ""},
		{"s3://box/**/*.md", "s3://box/out/", ""},
		{"s3://box/*/*.txt", "s3://box/out", ""},
		{"s3://box/2026-*", "s3://box/report", ""},
		{"s3://box/2026-*/", "s3://box/report", ""},
		{"s3://box/data/", "s3://box/data/_out", ""}, // no input finds it there
		{"s3://box/data/**", "s3://box/data/.out/x", ""},
		{"s3://box/data/", "s3://box/", "contains"},
		{"s3://box/[", "s3://box/out", ""},
	} {
		err := CheckOverlap(t.Context(), nowhere, job.Spec{Input: job.Inputs("s3://far/away", c.input), Output: c.output})
		switch {
		case c.how == "" && err != nil:
			t.Errorf("%s and %s: %v", c.input, c.output, err)
		case c.how != "" && (!errors.Is(err, ErrOverlap) || !strings.Contains(err.Error(), c.how) ||
			!strings.Contains(err.Error(), c.input) || !strings.Contains(err.Error(), c.output)):
			t.Errorf("%s and %s: %v, wanted %q and both places", c.input, c.output, err, c.how)
		}
	}
}

// TestOverlapOfFolders spells folders in different ways, and reaches them by links.
func TestOverlapOfFolders(t *testing.T) {
	root := writeTree(t, "data/a.txt", "data/sub/b.txt", "out/part-00000", "out/_SUCCESS", "docs/c.md", "out/d.md", "links/e.txt", "elsewhere/f.txt")
	for link, to := range map[string]string{
		"link":           "data",
		"data/up":        "..",
		"part":           "out/part-00000",
		"links/part.txt": "../out/part-00000",
		"links/folder":   "../out",
		"again":          "link",
		"docs/in":        "../elsewhere",
	} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(root, "out/part-00000"), filepath.Join(root, "docs/hard.txt")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	for _, c := range []struct {
		input, output string
		found         bool // by the objects, not by the location
		how           string
	}{
		{"data", "data/out", false, "is in"},
		{"data/", "./data/sub/../out", false, "is in"},
		{root + "/data", "data", false, "also"},
		{"file://" + root + "/data", "data/", false, "also"},
		{"link", "data", false, "also"},
		{"again/", "data/new/deep", false, "is in"},
		{"data", "link/new", false, "is in"},
		{"data/up/data/sub", "link", false, "contains"},
		{"docs", "elsewhere/new", true, "by a link"},
		{"docs/*", "elsewhere/new", true, "by a link"},
		{"docs/**", "elsewhere/_new", true, ""},
		{"docs/in/*.txt", "elsewhere/new", true, ""},
		{"data/up/d*/*.txt", "data", true, "contains"},
		{"link/**", "data/new", false, "match the"},
		{"data/**", "again/new", false, "match the"},
		{"part", "out", false, "contains"},
		{"links", "out", true, "contains"},
		{"links/*.txt", "out", true, "contains"},
		{"links/f*", "out", true, "contains"},
		{"docs/*.txt", "out", true, "contains"}, // a hard link
		{"**/*.md", "out", true, "contains"},
		{"**/*.md", "new", false, ""},
		{"docs/*.md", "out", false, ""},
		{"data", "data2", false, ""},
		{"data/*.txt", "data/out", false, ""},
		{"links/e*", "out", false, ""},
	} {
		spec := job.Spec{Program: "wordcount", Input: job.Inputs(c.input), Output: c.output, Overwrite: true}
		err := CheckOverlap(t.Context(), opener(t), spec)
		if c.found {
			if err != nil {
				t.Errorf("%s and %s: too early: %v", c.input, c.output, err)
			}
			_, err = PreviewJob(t.Context(), opener(t), nil, spec, 1)
		}
		if (c.how != "") != errors.Is(err, ErrOverlap) || err != nil && !strings.Contains(err.Error(), c.how) {
			t.Errorf("%s and %s: %v, wanted %q", c.input, c.output, err, c.how)
		}
	}
}
