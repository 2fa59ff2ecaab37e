package s3bucket

import (
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

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
