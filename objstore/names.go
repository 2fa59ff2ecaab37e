package objstore

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxKey is the length in bytes of the longest key that S3 accepts.
const MaxKey = 1024

var (
	bucketName  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	ipv4Address = regexp.MustCompile(`^(\d+\.){3}\d+$`)
)

// CheckBucketName refuses, with ErrInvalid, names that no S3 bucket can have. It follows
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, except that it
// accepts the reserved prefixes and suffixes: AWS gives such names itself, to buckets that can be
// read and written.
func CheckBucketName(name string) error {
	why := ""
	switch {
	case strings.Contains(name, "@"): // this error must not repeat a password
		return Invalidf("the location has a user name or password before the bucket: remove it; credentials come from the environment")
	case strings.Contains(name, ":"):
		why = "a location has no port; set the store's address as the S3 endpoint"
	case len(name) < 3 || len(name) > 63:
		why = "a bucket's name has 3 to 63 characters"
	case !bucketName.MatchString(name):
		why = `a bucket's name contains only a-z, 0-9, "-" and ".", and begins and ends with a letter or digit`
	case strings.Contains(name, "..") || strings.Contains(name, ".-") || strings.Contains(name, "-."):
		why = `a bucket's name must not have a dot next to another dot or a "-"`
	case ipv4Address.MatchString(name):
		why = "a bucket's name must not look like an IP address"
	}
	if why != "" {
		return Invalidf("%.80q is not a valid bucket name: %s", name, why)
	}
	return nil
}

// CheckKey refuses, with ErrInvalid, keys that no store can have.
func CheckKey(key string) error {
	switch {
	case key == "":
		return Invalidf("the key is empty")
	case len(key) > MaxKey:
		return Invalidf("the key has %d bytes, the limit is %d", len(key), MaxKey)
	case !utf8.ValidString(key):
		return Invalidf("the key is not UTF-8")
	}
	return nil
}

// CheckNewKey is CheckKey for an object to write. It also refuses a leading slash: S3 allows it,
// but stores that keep objects as files refuse it, or confuse the key with another.
func CheckNewKey(key string) error {
	if strings.HasPrefix(key, "/") {
		return Invalidf("the key starts with a slash")
	}
	return CheckKey(key)
}

// CheckOutput refuses, with ErrInvalid, a URL below which objects with names of up to longest bytes
// can't be written. If longest is 0 it checks the URL as that of an object.
func (u URL) CheckOutput(longest int) error {
	if u.Scheme != "s3" {
		return nil
	}
	folder := strings.TrimSuffix(u.Key, "/")
	if strings.HasPrefix(u.Key, "/") || strings.Contains(folder+"/", "//") && folder != "" {
		return Invalidf("%.200q can be read but not written: it has an empty element between slashes", u)
	}
	if n := len(folder) + 1 + longest; longest > 0 && n > MaxKey {
		return Invalidf("%.80q… is too long: keys below it would have up to %d bytes, and the limit is %d", u, n, MaxKey)
	}
	return nil
}
