package objstore

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// URL names a bucket and, in it, a key, a prefix or a glob.
type URL struct {
	Scheme string // "s3" or "file"
	Bucket string // the S3 bucket; empty for file
	Key    string // without a leading slash; may be empty, a prefix or a glob
}

// Opener returns the bucket and the key that a URL names. It sends no request.
type Opener func(ctx context.Context, url string) (Bucket, string, error)

// ParseURL parses "s3://bucket/key", "file:///path" or a plain path, which it makes absolute. It
// keeps a trailing slash, which marks a prefix. It refuses, with ErrInvalid, other schemes, names
// that no bucket or key can have, and "." and ".." elements, which mean different things to
// different stores. S3 keys may have empty elements.
//
// Objects that a listing finds may have any name. Their URLs are split with [CutURL].
func ParseURL(s string) (URL, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case s == "":
		return URL{}, Invalidf("the location is empty")
	case !ok:
		abs, err := filepath.Abs(s)
		if err != nil {
			return URL{}, fmt.Errorf("make %q absolute: %w", s, err)
		}
		key := strings.TrimPrefix(filepath.ToSlash(abs), "/")
		if strings.HasSuffix(s, "/") && key != "" {
			key += "/"
		}
		return checkURL(s, URL{Scheme: "file", Key: key})
	case scheme == "file":
		if !strings.HasPrefix(rest, "/") {
			return URL{}, Invalidf("%.200q: write file:///absolute/path", s)
		}
		return checkURL(s, URL{Scheme: "file", Key: rest[1:]})
	case scheme == "s3":
		bucket, key, _ := strings.Cut(rest, "/")
		if bucket == "" {
			return URL{}, Invalidf("%.200q names no bucket: write s3://bucket/key", s)
		}
		if err := CheckBucketName(bucket); err != nil {
			return URL{}, err
		}
		return checkURL(s, URL{Scheme: "s3", Bucket: bucket, Key: key})
	}
	return URL{}, Invalidf("%.200q: the scheme %.20q is not one of s3, file", s, scheme)
}

// checkURL returns u unless its key is invalid. Errors quote s, as the user wrote it.
func checkURL(s string, u URL) (URL, error) {
	elements := strings.Split(strings.TrimSuffix(u.Key, "/"), "/")
	for i, e := range elements {
		if e == "." || e == ".." {
			return URL{}, Invalidf("%.200q has a \".\" or \"..\" element: name the folder above, or a glob", s)
		}
		if e == "" && u.Scheme == "file" && (i > 0 || len(elements) > 1) {
			return URL{}, Invalidf("%.200q has an empty element", s)
		}
	}
	switch {
	case strings.ContainsRune(u.Key, 0):
		return URL{}, Invalidf("%.200q contains a NUL byte", s)
	case !utf8.ValidString(u.Key):
		return URL{}, Invalidf("%.200q is not UTF-8: name the folder above, or a glob", s)
	case u.Scheme == "s3" && len(literal(u.Key)) > MaxKey:
		return URL{}, Invalidf("%.80q… has a key of %d bytes, the limit is %d", s, len(u.Key), MaxKey)
	}
	return u, nil
}

// GlobMeta are the characters that make a location a glob.
const GlobMeta = `*?[{\`

// literal returns the part of a key before the first glob character.
func literal(key string) string {
	if i := strings.IndexAny(key, GlobMeta); i >= 0 {
		return key[:i]
	}
	return key
}

// CutURL splits the URL of an object, made as [Bucket].URL()+"/"+key, whatever its key: unlike
// ParseURL it checks nothing. It returns the bucket as a location that ParseURL accepts.
func CutURL(object string) (bucket, key string) {
	scheme, rest, _ := strings.Cut(object, "://")
	name, key, _ := strings.Cut(rest, "/")
	return scheme + "://" + name + "/", key
}

// Shown returns a URL as errors and reports show it. It quotes a URL that is not UTF-8; file names
// may be any bytes.
func Shown(url string) string {
	if utf8.ValidString(url) {
		return url
	}
	return strconv.Quote(url)
}

// String returns the URL in the form that ParseURL accepts.
func (u URL) String() string {
	return u.BucketURL() + "/" + u.Key
}

// BucketURL returns the part of String before the key, equal to [Bucket].URL.
func (u URL) BucketURL() string { return u.Scheme + "://" + u.Bucket }

// Join returns the URL of key below u, which it treats as a folder.
func (u URL) Join(key string) URL {
	u.Key = strings.TrimPrefix(strings.TrimSuffix(u.Key, "/")+"/"+key, "/")
	return u
}
