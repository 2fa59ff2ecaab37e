package objstore_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func TestParseURL(t *testing.T) {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	here := strings.TrimPrefix(folder, "/")
	for _, c := range []struct {
		in     string
		want   objstore.URL
		string string
	}{
		{"s3://logs/a/b", objstore.URL{Scheme: "s3", Bucket: "logs", Key: "a/b"}, "s3://logs/a/b"},
		{"s3://logs/a/", objstore.URL{Scheme: "s3", Bucket: "logs", Key: "a/"}, "s3://logs/a/"},
		{"s3://logs/a b?c=%41", objstore.URL{Scheme: "s3", Bucket: "logs", Key: "a b?c=%41"}, "s3://logs/a b?c=%41"},
		{"s3://logs/", objstore.URL{Scheme: "s3", Bucket: "logs"}, "s3://logs/"},
		{"s3://logs", objstore.URL{Scheme: "s3", Bucket: "logs"}, "s3://logs/"},
		{"s3://logs/a//b//", objstore.URL{Scheme: "s3", Bucket: "logs", Key: "a//b//"}, "s3://logs/a//b//"},
		{"s3://logs//a", objstore.URL{Scheme: "s3", Bucket: "logs", Key: "/a"}, "s3://logs//a"},
		{"s3://logs/" + strings.Repeat("k", 1024), objstore.URL{Scheme: "s3", Bucket: "logs", Key: strings.Repeat("k", 1024)}, "s3://logs/" + strings.Repeat("k", 1024)},
		{"file:///data/x", objstore.URL{Scheme: "file", Key: "data/x"}, "file:///data/x"},
		{"/data/x/", objstore.URL{Scheme: "file", Key: "data/x/"}, "file:///data/x/"},
		{"x/../y/*.gz", objstore.URL{Scheme: "file", Key: here + "/y/*.gz"}, "file:///" + here + "/y/*.gz"},
	} {
		got, err := objstore.ParseURL(c.in)
		if err != nil || got != c.want || got.String() != c.string {
			t.Errorf("%q gives %+v, %q, %v", c.in, got, got, err)
		}
		if again, err := objstore.ParseURL(got.String()); err != nil || again != got {
			t.Errorf("%q does not parse as itself: %+v, %v", got, again, err)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, in := range []string{
		"", "http://x/y", "s3://", "s3:///key", "file://host/x", "file:///a//b", "file:///a/../b", "s3://box/../a", "s3://box/./a",
		"s3://box/a\x00", "s3://box/a\xff", "a\xff", "s3://box/" + strings.Repeat("k", 1025), "s3://a..b/x", "s3://box:9000/x",
	} {
		if u, err := objstore.ParseURL(in); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("%q gives %+v, %v", in, u, err)
		}
	}
}

func TestJoin(t *testing.T) {
	for _, c := range []struct{ base, want string }{
		{"s3://box", "s3://box/x/y"},
		{"s3://box/a", "s3://box/a/x/y"},
		{"s3://box/a/", "s3://box/a/x/y"},
	} {
		u, err := objstore.ParseURL(c.base)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Join("x/y").String(); got != c.want {
			t.Errorf("%s gives %s, not %s", c.base, got, c.want)
		}
	}
}
