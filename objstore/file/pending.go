package file

import (
	"crypto/rand"
	"path/filepath"
	"strings"

	"github.com/bucketmill/bucketmill/objstore"
)

// A pending file is named ".bm-", 16 random characters, ".", the target's name, ".pending".
const (
	pendingPrefix = ".bm-"
	pendingRandom = 16 // characters of base 32: 80 bits
	pendingSuffix = ".pending"

	nameLimit = 255 - len(pendingPrefix) - pendingRandom - 1 - len(pendingSuffix) // bytes
)

// pendingFor returns a new name of a pending file for path.
func pendingFor(path string) (string, error) {
	name := filepath.Base(path)
	if len(name) > nameLimit {
		return "", objstore.Invalidf("the name has %d bytes, and the limit is %d", len(name), nameLimit)
	}
	return pendingPrefix + rand.Text()[:pendingRandom] + "." + name + pendingSuffix, nil
}

// targetOf returns the name that the pending file gets when it is completed.
func targetOf(pending string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(pending, pendingPrefix)
	if !ok || len(rest) < pendingRandom+1 || rest[pendingRandom] != '.' {
		return "", false
	}
	name, ok = strings.CutSuffix(rest[pendingRandom+1:], pendingSuffix)
	return name, ok && name != ""
}

// pendingPath returns the paths of the pending file of u and of its target. It refuses handles that
// Create did not make, since its callers rename or remove the file.
func (b *Bucket) pendingPath(u objstore.Upload) (pending, target string, err error) {
	target, err = b.path(u.Key)
	if err != nil {
		return "", "", err
	}
	name, ok := targetOf(u.ID)
	if !ok || name != filepath.Base(target) {
		return "", "", objstore.Invalidf("%q is not an upload of this object", u.ID)
	}
	return filepath.Join(filepath.Dir(target), u.ID), target, nil
}
