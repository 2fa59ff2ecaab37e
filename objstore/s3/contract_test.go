package s3_test

import (
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/objstoretest"
	"github.com/bucketmill/bucketmill/objstore/s3"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// open opens a bucket of the tests' server by what c leaves out.
func open(t *testing.T, name string, c objstore.S3Config) objstore.Bucket {
	t.Helper()
	server := testservices.MinIO(t)
	c.AccessKeyID, c.SecretAccessKey = server.AccessKey, server.SecretKey
	if c.Endpoint == "" {
		c.Endpoint = server.Endpoint
	}
	client, err := s3.NewClient(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := client.Bucket(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContract(t *testing.T) {
	name := testservices.MinIO(t).Bucket(t)
	objstoretest.Run(t, func(t *testing.T) objstore.Bucket {
		return open(t, name, objstore.S3Config{Parts: objstore.PartSizes{Least: objstore.MinPartSize}})
	})
}

func TestFaults(t *testing.T) {
	name := testservices.MinIO(t).Bucket(t)
	objstoretest.RunFaults(t, func(t *testing.T, c objstore.S3Config) objstore.Bucket {
		return open(t, name, c)
	})
}

func TestDeviations(t *testing.T) {
	name := testservices.MinIO(t).Bucket(t)
	objstoretest.RunDeviations(t, func(t *testing.T, c objstore.S3Config) objstore.Bucket {
		return open(t, name, c)
	})
}

func TestTLS(t *testing.T) {
	server := testservices.MinIO(t)
	name := server.Bucket(t)
	objstoretest.RunTLS(t, server.Endpoint, func(t *testing.T, c objstore.S3Config) objstore.Bucket {
		return open(t, name, c)
	})
}

func TestSlow(t *testing.T) {
	server := testservices.MinIO(t)
	name := server.Bucket(t)
	objstoretest.RunSlow(t, server.Endpoint, func(t *testing.T, c objstore.S3Config) objstore.Bucket {
		return open(t, name, c)
	})
}
