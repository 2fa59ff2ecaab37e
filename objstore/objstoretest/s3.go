package objstoretest

import (
	"context"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

// S3 is an S3 driver and the real store that it is tested on.
type S3 struct {
	Store  objstore.S3Config // endpoint and credentials
	Bucket string            // the name of an existing bucket

	// Open opens a bucket with the driver. It is called concurrently.
	Open func(ctx context.Context, bucket string, c objstore.S3Config) (objstore.Bucket, error)
}

// open opens the bucket with c, which may omit the endpoint and the credentials.
func (s S3) open(t *testing.T, c objstore.S3Config) objstore.Bucket {
	t.Helper()
	if c.Endpoint == "" {
		c.Endpoint = s.Store.Endpoint
	}
	c.AccessKeyID, c.SecretAccessKey = s.Store.AccessKeyID, s.Store.SecretAccessKey
	b, err := s.Open(t.Context(), s.Bucket, c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RunContract tests an S3 driver against every sentence of [objstore.Bucket].
func RunContract(t *testing.T, s S3) {
	Run(t, func(t *testing.T) objstore.Bucket {
		return s.open(t, objstore.S3Config{Parts: objstore.PartSizes{Least: objstore.MinPartSize}})
	})
}
