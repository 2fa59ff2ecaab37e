package s3bucket

import (
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

// TestPartSizes wants the largest object that S3 holds to fit into the parts that it allows.
func TestPartSizes(t *testing.T) {
	const largestObject, largestPart = 5 << 40, 5 << 30 // bytes
	for _, least := range []int64{objstore.MinPartSize, objstore.DefaultPartSize, 64 << 20} {
		parts, begun := 0, int64(0)
		for begun < largestObject {
			size := partSize(least, begun)
			if size < least || size > largestPart {
				t.Fatalf("part %d has %d bytes", parts+1, size)
			}
			begun += size
			parts++
		}
		if parts > maxParts {
			t.Errorf("parts of %d bytes at least: %d of them", least, parts)
		}
		t.Logf("parts of %d bytes at least: %d of them, the last of %d bytes", least, parts, partSize(least, begun))
	}
	if size := partSize(objstore.DefaultPartSize, 8<<30); size != objstore.DefaultPartSize {
		t.Errorf("after 8 GiB a part has %d bytes", size)
	}
}

func TestMultipartETag(t *testing.T) {
	// printf '%s' "$(md5 of "a")$(md5 of "b")" | xxd -r -p | md5sum
	parts := []objstore.Part{{ETag: "0cc175b9c0f1b6a831c399e269772661"}, {ETag: "92eb5ffee6ae2fec3ad71c777531578f"}}
	if got, want := multipartETag(parts), "96e024ba2074fe77e8e965ba43a704be-2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	parts[1].ETag = "not-an-md5"
	if got := multipartETag(parts); got != "" {
		t.Errorf("without MD5s: %q", got)
	}
}
