package objstore_test

import (
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

// TestPartSizes checks that the largest object of S3 fits into the number of parts that S3 allows.
func TestPartSizes(t *testing.T) {
	const largestObject, largestPart = 5 << 40, 5 << 30 // bytes
	for _, p := range []objstore.PartSizes{
		{Least: objstore.MinPartSize},
		{Least: objstore.DefaultPartSize},
		{Least: objstore.DefaultPartSize, Most: 64 << 20},
		{Least: 64 << 20, Most: 8 << 20},
	} {
		parts, begun := int64(0), int64(0)
		for begun < largestObject {
			size := p.After(begun)
			if size < p.Least || size > largestPart {
				t.Fatalf("%+v: part %d has %d bytes", p, parts+1, size)
			}
			begun += size
			parts++
		}
		if parts > objstore.MaxParts {
			t.Errorf("%+v: %d parts", p, parts)
		}
		if n := p.Count(largestObject); n != parts {
			t.Errorf("%+v: %d parts are counted as %d", p, parts, n)
		}
		t.Logf("%+v: %d parts, the last of %d bytes", p, parts, p.After(begun))
	}
}

func TestPartsGrow(t *testing.T) {
	const mib = 1 << 20
	p := objstore.PartSizes{Most: 16 * mib}.WithDefaults()
	for begun, want := range map[int64]int64{
		0: 8 * mib, 32 * mib: 8 * mib, 40 * mib: 10 * mib, 64 * mib: 16 * mib, 8 << 30: 16 * mib, 1200 * 20 * mib: 20 * mib,
	} {
		if got := p.After(begun); got != want {
			t.Errorf("after %d bytes: %d, not %d", begun, got, want)
		}
	}
	equal := objstore.PartSizes{Most: 16 * mib, Equal: true}
	for _, begun := range []int64{0, 16 * mib, 8 << 30, 120 << 30} {
		if got := equal.After(begun); got != 16*mib {
			t.Errorf("equal parts, after %d bytes: %d", begun, got)
		}
	}
	if n := (objstore.PartSizes{}).Count(20 * mib); n != 3 {
		t.Errorf("20 MiB in %d parts of the usual size", n)
	}
	for bytes, want := range map[int64]int64{0: 1, 1: 1, 8 * mib: 1, 8*mib + 1: 2, 40 * mib: 5, 50 * mib: 6, 50*mib + 1: 7} {
		if got := p.Count(bytes); got != want {
			t.Errorf("%d bytes: %d parts, not %d", bytes, got, want)
		}
	}
}
