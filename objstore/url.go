package objstore

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// URL names a bucket and a key, or a prefix of keys, in it.
type URL struct {
	Scheme string // "s3" or "file"
	Bucket string // the S3 bucket; empty for file
	Key    string // without a leading slash; may be empty, a prefix or a glob
}

// ParseURL reads "s3://bucket/key", "file:///path" or a plain path, which is made absolute
// against the working folder. A slash at the end is kept: it marks a prefix. It refuses
// other schemes, missing buckets, and keys with empty, "." or ".." elements, which name
// different things to different stores.
func ParseURL(s string) (URL, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case s == "":
		return URL{}, urlError("location is empty")
	case !ok:
		abs, err := filepath.Abs(s)
		if err != nil {
			return URL{}, fmt.Errorf("make %q absolute: %w", s, err)
		}
		key := strings.TrimPrefix(filepath.ToSlash(abs), "/")
		if strings.HasSuffix(s, "/") && key != "" {
			key += "/"
		}
		return URL{Scheme: "file", Key: key}, nil
	case scheme == "file":
		if !strings.HasPrefix(rest, "/") {
			return URL{}, urlError(fmt.Sprintf("%q: write file:///absolute/path", s))
		}
		return checked(s, URL{Scheme: "file", Key: rest[1:]})
	case scheme == "s3":
		bucket, key, _ := strings.Cut(rest, "/")
		if bucket == "" {
			return URL{}, urlError(fmt.Sprintf("%q names no bucket: write s3://bucket/key", s))
		}
		return checked(s, URL{Scheme: "s3", Bucket: bucket, Key: key})
	}
	return URL{}, urlError(fmt.Sprintf("%q: the scheme %q is not one of s3, file", s, scheme))
}

func checked(s string, u URL) (URL, error) {
	elements := strings.Split(strings.TrimSuffix(u.Key, "/"), "/")
	for i, e := range elements {
		if e == "." || e == ".." || (e == "" && (i > 0 || len(elements) > 1)) {
			return URL{}, urlError(fmt.Sprintf("%q has an empty, \".\" or \"..\" element", s))
		}
	}
	if strings.ContainsRune(u.Key, 0) {
		return URL{}, urlError(fmt.Sprintf("%q has a zero byte", s))
	}
	if _, err := url.Parse(u.Scheme + "://" + u.Bucket); err != nil {
		return URL{}, urlError(fmt.Sprintf("%q: %v", s, err))
	}
	return u, nil
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

// urlError is a location that can't be used, an ErrInvalid in its own words.
type urlError string

func (e urlError) Error() string { return string(e) }

// Is makes it an ErrInvalid.
func (e urlError) Is(target error) bool { return target == ErrInvalid }
