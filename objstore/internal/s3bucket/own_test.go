package s3bucket

import (
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func TestWhoseObject(t *testing.T) {
	parts := []objstore.Part{{Number: 1, ETag: strings.Repeat("ab", 16), Size: 4}}
	u := objstore.Upload{Key: "k", ID: "i", Parts: parts, Size: 4, Mark: "mine"}
	old := u
	old.Mark = "" // a handle from the time before marks
	same, other := multipartETag(parts), strings.Repeat("cd", 16)+"-1"
	if len(same) != 34 || !strings.HasSuffix(same, "-1") {
		t.Fatalf("the ETag of one part is %q", same)
	}
	for _, c := range []struct {
		what       string
		u          objstore.Upload
		size       int64
		etag, mark string
		answered   string
		want       ownership
	}{
		{"our mark", u, 4, same, "mine", "", ours},
		{"our mark, a nonstandard ETag", u, 4, other, "mine", same, ours},
		{"our mark, no ETag", u, 4, "", "mine", "", ours},
		{"our mark on another size", u, 5, other, "mine", "", foreign},
		{"another mark on the same bytes", u, 4, same, "theirs", same, foreign},
		{"no mark, the same bytes", u, 4, same, "", "", sameBytes},
		{"no mark, other bytes", u, 4, other, "", "", foreign},
		{"no mark, other bytes, and a store that invents its answer", u, 4, other, "", same, foreign},
		{"no mark, and the ETag that the store answered", u, 4, other, "", other, unproven},
		{"no mark, no ETag", u, 4, "", "", "", unproven},
		{"no mark, no ETag, another size", u, 5, "", "", "", foreign},
		{"old handle, the same bytes", old, 4, same, "", "", sameBytes},
		{"old handle, other bytes", old, 4, other, "", "", foreign},
		{"old handle, a marked object of the same bytes", old, 4, same, "theirs", "", foreign},
		{"old handle, no ETag", old, 4, "", "", "", unproven},
	} {
		if got := ownershipOf(c.u, objstore.Object{Key: "k", Size: c.size, ETag: c.etag}, c.mark, c.answered); got != c.want {
			t.Errorf("%s: %d, not %d", c.what, got, c.want)
		}
	}
	noMD5 := u
	noMD5.Parts = []objstore.Part{{Number: 1, ETag: "of another kind", Size: 4}}
	if got := ownershipOf(noMD5, objstore.Object{Key: "k", Size: 4}, "", ""); got != unproven {
		t.Errorf("parts without MD5, no mark, no ETag: %d", got)
	}
}
