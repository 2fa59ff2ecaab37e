package controller

import (
	"strings"

	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// workArea is what Bucketmill keeps on the work store for itself. The zero workArea has nothing.
type workArea struct {
	bucket string // its URL
	layout layout.Layout
}

// area is the controller's.
func (c *Controller) area() workArea {
	return workArea{bucket: c.work.URL(), layout: layout.Layout{Prefix: c.workPrefix}}
}

// in returns a function that tells for keys of a bucket in which folder of the area they are, "" if in none. It tells
// so of none if the location that is looked for is itself in the area. The function remembers the last folder that it
// was asked about: it is for one goroutine.
func (a workArea) in(b objstore.Bucket, location string) func(key string) string {
	if a.bucket == "" || a.bucket != b.URL() || a.layout.Owned(location) != "" {
		return func(string) string { return "" }
	}
	linked, ok := b.(objstore.Linked)
	if !ok {
		return a.layout.Owned
	}
	// Links may lead into the area, and the area may lie behind one.
	real := layout.Layout{Prefix: strings.Trim(linked.Follow(a.layout.Prefix), "/")}
	asked, owner := "", ""
	return func(key string) string {
		if folder := a.layout.Owned(key); folder != "" {
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
