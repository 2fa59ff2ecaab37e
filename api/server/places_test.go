package server

import (
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		location, place string
		want            bool
	}{
		{"s3://bucket/x", "s3://bucket", true},
		{"s3://bucket", "s3://bucket", true},
		{"s3://bucket", "s3://bucket/", true},
		{"s3://bucket2/x", "s3://bucket", false},
		{"s3://bucket/x/y", "s3://bucket/x", true},
		{"s3://bucket/x", "s3://bucket/x/", true},
		{"s3://bucket/x/", "s3://bucket/x", true},
		{"s3://bucket/xy", "s3://bucket/x", false},
		{"s3://bucket/", "s3://bucket/x", false},
		{"s3://bucket/*", "s3://bucket", true},
		{"s3://bucket/x/*", "s3://bucket/x", true},
		{"s3://bucket/x*", "s3://bucket/x", false},
		{"s3://bucket/{x,y}/z", "s3://bucket/x", false},
		{"s3://bucket/[x]/z", "s3://bucket/x", false},
		{`s3://bucket/\x/z`, "s3://bucket/x", false},
		{"file:///a/x", "s3://bucket", false},
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
	for _, work := range []string{"s3://work", "s3://work/", "s3://work/p", "s3://work/p/"} {
		p, err := newPlaces(nil, false, work)
		if err != nil {
			t.Fatal(err)
		}
		base := p.work
		for key, want := range map[string]bool{
			"jobs": true, "jobs/": true, "jobs/j/plan": true, "logs/x": true, "0/j/m0.1.seg": true, "f/x": true, "f": true,
			"/jobs/x": true, "///jobs//x": true, "/f": true,
			"": false, "in/x": false, "jobs2/x": false, "g/x": false, "00/x": false, "x/jobs/y": false,
		} {
			if got := p.reserved(base.Join(key)); got != want {
				t.Errorf("%s of %s: %v", key, work, got)
			}
		}
	}
	p, err := newPlaces(nil, false, "s3://work/p")
	if err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{"s3://work//p/jobs/x", "s3://work/p//jobs/x", "s3://work///p///jobs"} {
		if u, err := objstore.ParseURL(location); err != nil || !p.reserved(u) {
			t.Errorf("%s is not reserved, %v", location, err)
		}
	}
	for _, location := range []string{"s3://work/jobs/x", "s3://other/p/jobs/x", "s3://work/pjobs/x"} {
		if u, err := objstore.ParseURL(location); err != nil || p.reserved(u) {
			t.Errorf("%s is reserved, %v", location, err)
		}
	}
}
