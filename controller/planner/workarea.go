package planner

import (
	"strings"

	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// workArea is what Bucketmill keeps on the work store for itself. The zero workArea has nothing.
type WorkArea struct {
	Bucket string // its URL
	Layout layout.Layout
}

// in returns a function that tells for keys of a bucket in which folder of the area they are, "" if in none. It tells
// so of none if the location that is looked for is itself in the area. The function remembers the last folder that it
// was asked about: it is for one goroutine.
func (a WorkArea) in(b objstore.Bucket, location string) func(key string) string {
	if a.Bucket == "" || a.Bucket != b.URL() || a.Layout.Owned(location) != "" {
		return func(string) string { return "" }
	}
	linked, ok := b.(objstore.Linked)
	if !ok {
		return a.Layout.Owned
	}
	// Links may lead into the area, and the area may lie behind one.
	real := layout.Layout{Prefix: strings.Trim(linked.Follow(a.Layout.Prefix), "/")}
	asked, owner := "", ""
	return func(key string) string {
		if folder := a.Layout.Owned(key); folder != "" {
			return folder
		}
		if folder := key[:strings.LastIndexByte(key, '/')+1]; folder != asked || folder == "" {
			asked, owner = folder, ""
			if folder != "" {
				owner = real.Owned(linked.Follow(strings.TrimSuffix(folder, "/")) + "/")
			}
		}
		return owner
	}
}
