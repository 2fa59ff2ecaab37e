package objstore

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxKey is the length of the longest key that S3 takes, in bytes.
const MaxKey = 1024

var (
	bucketName  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	ipv4Address = regexp.MustCompile(`^(\d+\.){3}\d+$`)
)

// CheckBucketName refuses, with ErrInvalid, names that no bucket of S3 can have. The rules are those of
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, except for the reserved
// prefixes and suffixes: those are for names that AWS itself gives, which may be read and written.
func CheckBucketName(name string) error {
	why := ""
	switch {
	case strings.Contains(name, "@"): // and the error does not repeat a password
		return Invalidf("the location has a user name or password in front of its bucket: leave it out, credentials come from the environment")
	case strings.Contains(name, ":"):
		why = `a location has no port: the store's address is the setting S3 endpoint`
	case len(name) < 3 || len(name) > 63:
		why = "a bucket's name has 3 to 63 characters"
	case !bucketName.MatchString(name):
		why = `a bucket's name has only a-z, 0-9, "-" and ".", and begins and ends with a letter or digit`
	case strings.Contains(name, "..") || strings.Contains(name, ".-") || strings.Contains(name, "-."):
		why = `a bucket's name has no dot next to another dot or a "-"`
	case ipv4Address.MatchString(name):
		why = "a bucket's name must not look like an IP address"
	}
	if why != "" {
		return Invalidf("%.80q is not a bucket's name: %s", name, why)
	}
	return nil
}

// CheckKey refuses, with ErrInvalid, keys that no store has.
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

// CheckNewKey is CheckKey for an object to be written. Here it refuses, too, what S3 allows but stores that
// keep objects as files do not, or take for another key: empty elements, and a slash at the beginning.
func CheckNewKey(key string) error {
	if strings.HasPrefix(key, "/") {
		return Invalidf("the key starts with a slash")
	}
	return CheckKey(key)
}

// CheckOutput refuses, with ErrInvalid, a URL below which no objects with names of up to longest bytes can be
// written; with 0, one that no object can have.
func (u URL) CheckOutput(longest int) error {
	if u.Scheme != "s3" {
		return nil
	}
	folder := strings.TrimSuffix(u.Key, "/")
	if strings.HasPrefix(u.Key, "/") || strings.Contains(folder+"/", "//") && folder != "" {
		return Invalidf("%.200q can be read but not written to: an element between its slashes is empty", u)
	}
	if n := len(folder) + 1 + longest; longest > 0 && n > MaxKey {
		return Invalidf("%.80q… is too long: keys below it would have up to %d bytes, the limit is %d", u, n, MaxKey)
	}
	return nil
}
