package objstore

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// URL names a bucket and a key, or a prefix of keys, in it.
type URL struct {
	Scheme string // "s3" or "file"
	Bucket string // the S3 bucket; empty for file
	Key    string // without a leading slash; may be empty, a prefix or a glob
}

// Opener returns the bucket and the key that a URL names. It makes no request.
type Opener func(ctx context.Context, url string) (Bucket, string, error)

// ParseURL reads "s3://bucket/key", "file:///path" or a plain path, which is made absolute
// against the working folder. A slash at the end is kept: it marks a prefix. It refuses
// other schemes, names that no bucket or key can have, and "." and ".." elements, which name
// different things to different stores. Keys of S3 may have empty elements.
//
// What a listing finds may have any name. It is named by its bucket and key, and its URL is taken
// apart again by [CutURL].
func ParseURL(s string) (URL, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case s == "":
		return URL{}, Invalidf("location is empty")
	case !ok:
		abs, err := filepath.Abs(s)
		if err != nil {
			return URL{}, fmt.Errorf("make %q absolute: %w", s, err)
		}
		key := strings.TrimPrefix(filepath.ToSlash(abs), "/")
		if strings.HasSuffix(s, "/") && key != "" {
			key += "/"
		}
		return checked(s, URL{Scheme: "file", Key: key})
	case scheme == "file":
		if !strings.HasPrefix(rest, "/") {
			return URL{}, Invalidf("%.200q: write file:///absolute/path", s)
		}
		return checked(s, URL{Scheme: "file", Key: rest[1:]})
	case scheme == "s3":
		bucket, key, _ := strings.Cut(rest, "/")
		if bucket == "" {
			return URL{}, Invalidf("%.200q names no bucket: write s3://bucket/key", s)
		}
		if err := CheckBucketName(bucket); err != nil {
			return URL{}, err
		}
		return checked(s, URL{Scheme: "s3", Bucket: bucket, Key: key})
	}
	return URL{}, Invalidf("%.200q: the scheme %.20q is not one of s3, file", s, scheme)
}

func checked(s string, u URL) (URL, error) {
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
		return URL{}, Invalidf("%.200q has a zero byte", s)
	case !utf8.ValidString(u.Key):
		return URL{}, Invalidf("%.200q is not UTF-8: name the folder above, or a glob", s)
	case u.Scheme == "s3" && len(literal(u.Key)) > MaxKey:
		return URL{}, Invalidf("%.80q… has a key of %d bytes, the limit is %d", s, len(u.Key), MaxKey)
	}
	return u, nil
}

// GlobMeta are the characters that make a glob of a location.
const GlobMeta = `*?[{\`

// literal is what a location begins with that is no glob.
func literal(key string) string {
	if i := strings.IndexAny(key, GlobMeta); i >= 0 {
		return key[:i]
	}
	return key
}

// CutURL takes the URL of an object apart that was made as [Bucket].URL()+"/"+key, whatever its key:
// unlike ParseURL it checks nothing. Bucket is a location of the bucket that ParseURL reads.
func CutURL(object string) (bucket, key string) {
	scheme, rest, _ := strings.Cut(object, "://")
	name, key, _ := strings.Cut(rest, "/")
	return scheme + "://" + name + "/", key
}

// Shown is a URL as errors and reports show it: quoted where it is not UTF-8, as file names need not be.
func Shown(url string) string {
	if utf8.ValidString(url) {
		return url
	}
	return strconv.Quote(url)
}

// String gives the URL back in the form that ParseURL reads.
func (u URL) String() string {
	return u.BucketURL() + "/" + u.Key
}

// BucketURL is the part of String before the key, as [Bucket].URL gives it.
func (u URL) BucketURL() string { return u.Scheme + "://" + u.Bucket }

// Join returns the URL of key below u, which is taken as a folder.
func (u URL) Join(key string) URL {
	u.Key = strings.TrimPrefix(strings.TrimSuffix(u.Key, "/")+"/"+key, "/")
	return u
}
