package s3_test

import (
	"testing"

	"github.com/bucketmill/bucketmill/deploy/testservices"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/objstoretest"
	"github.com/bucketmill/bucketmill/objstore/s3"
)

func TestContract(t *testing.T) {
	server := testservices.MinIO(t)
	name := server.Bucket(t)
	objstoretest.Run(t, func(t *testing.T) objstore.Bucket {
		client, err := s3.NewClient(t.Context(), objstore.S3Config{
			Endpoint:        server.Endpoint,
			AccessKeyID:     server.AccessKey,
			SecretAccessKey: server.SecretKey,
			PartSize:        objstore.MinPartSize,
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := client.Bucket(name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
