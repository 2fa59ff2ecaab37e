package main

import (
	"bytes"
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// oddBucket answers like AWS for a bucket of S3, but only to reads. MinIO and other stores that
// keep objects as files refuse some of its keys.
type oddBucket map[string]string

func (b oddBucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, escaped, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	key, err := url.PathUnescape(escaped)
	content, ok := b[key]
	switch query := r.URL.Query(); {
	case err != nil || r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "", http.StatusMethodNotAllowed)
	case key == "" && query.Has("location"):
		fmt.Fprint(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`)
	case key == "" && r.Method == http.MethodGet:
		b.list(w, query)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<Error><Code>NoSuchKey</Code></Error>`)
	default:
		w.Header().Set("ETag", etagOf(content))
		http.ServeContent(w, r, "", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), bytes.NewReader([]byte(content)))
	}
}

func etagOf(content string) string { return fmt.Sprintf(`"%x"`, md5.Sum([]byte(content))) }

// list answers with a page of at most two keys.
func (b oddBucket) list(w http.ResponseWriter, query url.Values) {
	type object struct {
		Key, LastModified, ETag string
		Size                    int
	}
	var page struct {
		XMLName      xml.Name `xml:"ListBucketResult"`
		EncodingType string
		IsTruncated  bool
		KeyCount     int
		NextToken    string `xml:"NextContinuationToken,omitempty"`
		Contents     []object
	}
	page.EncodingType = query.Get("encoding-type")
	after := max(query.Get("start-after"), query.Get("continuation-token"))
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if !strings.HasPrefix(key, query.Get("prefix")) || key <= after {
			continue
		}
		if page.IsTruncated = len(page.Contents) == 2; page.IsTruncated {
			break
		}
		shown := key
		if page.EncodingType == "url" {
			shown = strings.ReplaceAll(url.PathEscape(key), "%2F", "/")
		}
		page.Contents = append(page.Contents, object{shown, "2026-11-01T00:00:00.000Z", etagOf(b[key]), len(b[key])})
		page.NextToken = key
	}
	page.KeyCount = len(page.Contents)
	if !page.IsTruncated {
		page.NextToken = ""
	}
	_ = xml.NewEncoder(w).Encode(page) // the client may have disconnected
}

// TestKeysOfS3 reads keys that S3 allows, but folders and most other stores do not.
func TestKeysOfS3(t *testing.T) {
	keys := oddBucket{
		"logs": "", "logs/a.txt": "", "logs/b.txt": "", "marked": "", "marked/": "", "marked/_SUCCESS": "", // a placeholder does not hide the objects below it
		"u/11//part_0": "", "u/11/part_1": "", "u/11///deep": "", "u//": "",
		"/rooted": "", "//twice": "", "dots/./a": "", "dots/../b": "", "dots/c/..": "",
		"i[1].txt": "", "i1.txt": "", "j{x}/k": "", "q?": "", "y=1/m=1/d": "", "y=1/m=2/d": "", "y=1/m=3": "",
	}
	for key := range keys {
		if !strings.HasSuffix(key, "/") && key != "logs" && key != "marked" {
			keys[key] = strings.ReplaceAll(key, " ", "~") + "\n"
		}
	}
	server := httptest.NewServer(keys)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	for _, driver := range []string{"minio", "s3"} {
		for location, want := range map[string]string{
			"logs":         "logs/a.txt logs/b.txt",
			"logs/":        "logs/a.txt logs/b.txt",
			"marked":       "", // only hidden objects
			"u/":           "u/11///deep u/11//part_0 u/11/part_1",
			"u":            "u/11///deep u/11//part_0 u/11/part_1",
			"u/**/part_*":  "u/11//part_0 u/11/part_1",
			"u/11//part_0": "u/11//part_0",
			"u/11//":       "u/11///deep u/11//part_0",
			"u/11//*":      "u/11///deep u/11//part_0",
			"u/11//p*":     "u/11//part_0",
			"/rooted":      "/rooted",
			"/":            "//twice /rooted",
			"/*":           "//twice /rooted",
			"dots/":        "dots/../b dots/./a dots/c/..",
			"i[1].txt":     "i[1].txt",
			`i\[1\].txt`:   "i[1].txt",
			"i[0-9].txt":   "i1.txt",
			"j{x}":         "j{x}/k",
			"q?":           "q?",
			"y=*/m=*":      "y=1/m=1/d y=1/m=2/d y=1/m=3",
			"y=*/m=*/":     "y=1/m=1/d y=1/m=2/d",
		} {
			t.Run(driver+"/"+strconv.Quote(location), func(t *testing.T) {
				var got []string
				for _, line := range joined(mustRun(t, filepath.Join(t.TempDir(), "out"), "distinct", "-r", "1",
					"--s3-driver", driver, "--s3-endpoint", server.URL, "-i", "s3://box/"+location)) {
					got = append(got, strings.TrimSuffix(line, "\t"))
				}
				if strings.Join(got, " ") != want {
					t.Errorf("read %q, want %q", got, want)
				}
			})
		}
	}
}
