package objstore_test

import (
	"errors"
	"io"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

// TestInvalidf checks that the error keeps its own words and its chain.
func TestInvalidf(t *testing.T) {
	err := objstore.Invalidf("key %q: %w", "k", io.ErrUnexpectedEOF)
	if !errors.Is(err, objstore.ErrInvalid) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("the chain of %v is wrong", err)
	}
	if err.Error() != `key "k": unexpected EOF` {
		t.Errorf("it reads %q", err)
	}
}
