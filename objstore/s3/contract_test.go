package s3_test

import (
	"context"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/objstoretest"
	"github.com/bucketmill/bucketmill/objstore/s3"
	"github.com/bucketmill/bucketmill/test/testservices"
)

func driver(t *testing.T) objstoretest.S3 {
	t.Helper()
	server := testservices.MinIO(t)
	return objstoretest.S3{
		Store:  objstore.S3Config{Endpoint: server.Endpoint, AccessKeyID: server.AccessKey, SecretAccessKey: server.SecretKey},
		Bucket: server.Bucket(t),
		Open: func(ctx context.Context, bucket string, c objstore.S3Config) (objstore.Bucket, error) {
			client, err := s3.NewClient(ctx, c)
			if err != nil {
				return nil, err
			}
			return client.Bucket(bucket)
		},
	}
}

func TestContract(t *testing.T)   { objstoretest.RunContract(t, driver(t)) }
func TestFaults(t *testing.T)     { objstoretest.RunFaults(t, driver(t)) }
func TestDeviations(t *testing.T) { objstoretest.RunDeviations(t, driver(t)) }
func TestTLS(t *testing.T)        { objstoretest.RunTLS(t, driver(t)) }
func TestSlow(t *testing.T)       { objstoretest.RunSlow(t, driver(t)) }
