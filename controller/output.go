package controller

import (
	"path"
	"strings"

	"github.com/bucketmill/bucketmill/objstore"
)

// outputURL names an output in the same way whether or not the user ended it with a slash, or led to it by a link.
func outputURL(b objstore.Bucket, key string) string {
	key = strings.TrimSuffix(key, "/")
	if linked, ok := b.(objstore.Linked); ok {
		key = linked.Follow(key)
	}
	return b.URL() + "/" + key
}

// outputName is where a part of the output goes.
func outputName(prefix, name string) string {
	return strings.TrimPrefix(path.Join(prefix, name), "/")
}
