package api

import (
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		location, place string
		want            bool
	}{
		{"s3://a/x", "s3://a", true},
		{"s3://a", "s3://a", true},
		{"s3://a", "s3://a/", true},
		{"s3://ab/x", "s3://a", false},
		{"s3://a/x/y", "s3://a/x", true},
		{"s3://a/x", "s3://a/x/", true},
		{"s3://a/x/", "s3://a/x", true},
		{"s3://a/xy", "s3://a/x", false},
		{"s3://a/", "s3://a/x", false},
		{"s3://a/*", "s3://a", true},
		{"s3://a/x/*", "s3://a/x", true},
		{"s3://a/x*", "s3://a/x", false},
		{"s3://a/{x,y}/z", "s3://a/x", false},
		{"s3://a/[x]/z", "s3://a/x", false},
		{`s3://a/\x/z`, "s3://a/x", false},
		{"file:///a/x", "s3://a", false},
		{"file:///a/x", "file:///a", true},
	} {
		u, err := objstore.ParseURL(c.location)
		if err != nil {
			t.Fatal(err)
		}
		place, err := objstore.ParseURL(c.place)
		if err != nil {
			t.Fatal(err)
		}
		if got := within(u, place); got != c.want {
			t.Errorf("%s within %s: %v", c.location, c.place, got)
		}
	}
}

func TestReserved(t *testing.T) {
	for _, work := range []string{"s3://w", "s3://w/", "s3://w/p", "s3://w/p/"} {
		p, err := newPlaces(nil, false, work)
		if err != nil {
			t.Fatal(err)
		}
		base := p.work
		for key, want := range map[string]bool{
			"jobs": true, "jobs/": true, "jobs/j/plan": true, "logs/x": true, "0/j/m0.1.seg": true, "f/x": true, "f": true,
			"": false, "in/x": false, "jobs2/x": false, "g/x": false, "00/x": false, "x/jobs/y": false,
		} {
			if got := p.reserved(base.Join(key)); got != want {
				t.Errorf("%s of %s: %v", key, work, got)
			}
		}
	}
	p, err := newPlaces(nil, false, "s3://w/p")
	if err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{"s3://w/jobs/x", "s3://v/p/jobs/x", "s3://w/pjobs/x"} {
		if u, err := objstore.ParseURL(location); err != nil || p.reserved(u) {
			t.Errorf("%s is reserved, %v", location, err)
		}
	}
}
