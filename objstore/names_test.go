package objstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func TestBucketNames(t *testing.T) {
	for _, good := range []string{"abc", "a.b", "logs-2026", "1.2.3", "xn--x", strings.Repeat("a", 63), "b--use1-az4--x-s3"} {
		if err := objstore.CheckBucketName(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, word := range map[string]string{
		"":                        "3 to 63",
		"ab":                      "3 to 63",
		strings.Repeat("a", 64):   "3 to 63",
		"a..b":                    "dot",
		"a.-b":                    "dot",
		"a-.b":                    "dot",
		"127.0.0.1":               "IP address",
		"999.999.999.9999":        "IP address",
		"INBOX":                   "a-z",
		"in_box":                  "a-z",
		"-inbox":                  "begins",
		"inbox-":                  "begins",
		".inbox":                  "begins",
		"inbox.":                  "begins",
		`in\box`:                  "a-z",
		"in box":                  "a-z",
		"bücher":                  "a-z",
		"inbox:9000":              "no port",
		"user:secret@inbox":       "password",
		"secret@inbox:9000":       "user name",
		strings.Repeat("a", 9000): "3 to 63",
	} {
		err := objstore.CheckBucketName(bad)
		if !errors.Is(err, objstore.ErrInvalid) || !strings.Contains(err.Error(), word) {
			t.Errorf("%.80s: %v, want an error that contains %q", bad, err, word)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || len(err.Error()) > 300) {
			t.Errorf("%.80s: the error is %s", bad, err)
		}
		if _, err := objstore.ParseURL("s3://" + bad + "/x"); bad != "" && !strings.Contains(err.Error(), word) {
			t.Errorf("as a location: %.80s: %v", bad, err)
		}
	}
}

func TestOutputNames(t *testing.T) {
	const longest = 23
	long := "s3://inbox/" + strings.Repeat("x", objstore.MaxKey-longest-1)
	for location, word := range map[string]string{
		"s3://inbox":              "",
		"s3://inbox/":             "",
		"s3://inbox/a":            "",
		"s3://inbox/a/b/":         "",
		long:                      "",
		long + "/":                "",
		long + "x":                "limit is 1024",
		"s3://inbox//":            "empty",
		"s3://inbox//a":           "empty",
		"s3://inbox/a//":          "empty",
		"s3://inbox/a//b":         "empty",
		"file:///data/a":          "",
		"/data//a/":               "",
		"s3://inbox/año/" + "[x]": "",
	} {
		u, err := objstore.ParseURL(location)
		if err != nil {
			t.Errorf("%.80s: %v", location, err)
			continue
		}
		err = u.CheckOutput(longest)
		if (err != nil) != (word != "") || err != nil && (!errors.Is(err, objstore.ErrInvalid) || !strings.Contains(err.Error(), word)) {
			t.Errorf("%.80s: %v, want %q", location, err, word)
		}
	}
}

// TestCutURL splits the URLs of objects into bucket and key, whatever the key.
func TestCutURL(t *testing.T) {
	for _, bucket := range []string{"s3://inbox", "file://"} {
		for _, key := range []string{"a", "a//b", "/a", "//", "a/../b", "./a", "a\xff", "a\x00", "a://b", "[x]/*?", ""} {
			gotBucket, gotKey := objstore.CutURL(bucket + "/" + key)
			if gotBucket != bucket+"/" || gotKey != key {
				t.Errorf("%s/%s gives %q, %q", bucket, key, gotBucket, gotKey)
			}
			if _, err := objstore.ParseURL(gotBucket); err != nil {
				t.Error(err)
			}
		}
	}
}
