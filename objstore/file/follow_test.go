package file_test

import (
	"strings"
	"testing"
)

func TestFollow(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/a/b/file")
	for path, to := range map[string]string{
		"link": "a/b", "a/up": "..", "twice": "link", "away": "/", "loop": "loop", "broken": "nowhere/x", "absolute": root + "/a",
	} {
		link(t, to, root+"/"+path)
	}
	b := open(t, root)
	for key, want := range map[string]string{
		"a/b/file":       "a/b/file",
		"link":           "a/b",
		"link/file":      "a/b/file",
		"twice/new/deep": "a/b/new/deep",
		"a/up/link/file": "a/b/file",
		"a/up":           "",
		"absolute/b":     "a/b",
		"new/deep":       "new/deep",
		"a/b/file/below": "a/b/file/below",
		"away/x":         "away/x", // outside the root
		"loop/x":         "loop/x",
		"broken/y":       "broken/y",
		"link/\xff":      "a/b/\xff",
		"link/" + long:   "a/b/" + long,
	} {
		if got := b.Follow(key); got != want {
			t.Errorf("%.40q leads to %.40q, not to %.40q", key, got, want)
		}
	}
	if got := open(t, "/").Follow(root[1:] + "/twice/x"); got != root[1:]+"/a/b/x" {
		t.Errorf("from the file system's root: %q", got)
	}
}

// long is longer than a name on the usual file systems may be.
var long = strings.Repeat("long ", 256/5+1)
