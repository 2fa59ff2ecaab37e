package file_test

import (
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/file"
	"github.com/bucketmill/bucketmill/objstore/objstoretest"
)

func TestContract(t *testing.T) {
	root := t.TempDir()
	objstoretest.Run(t, func(t *testing.T) objstore.Bucket {
		b, err := file.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
