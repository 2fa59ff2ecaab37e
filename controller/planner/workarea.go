package planner

import (
	"strings"

	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// WorkArea is the part of the work store that Bucketmill keeps for itself. The zero WorkArea is
// empty.
type WorkArea struct {
	Bucket string // its URL
	Layout layout.Layout
}

// in returns a function that returns in which folder of the area a key of a bucket is; "" if it is
// in none. If the location to search is itself in the area, the function returns "" for all keys.
// It remembers the last folder that it was called with, so only one goroutine may call it.
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
