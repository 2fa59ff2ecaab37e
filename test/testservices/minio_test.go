package testservices

import (
	"testing"

	"github.com/minio/minio-go/v7"
)

func TestMinIORestartKeepsBuckets(t *testing.T) {
	server := NewMinIO(t)
	bucket := server.Bucket(t)
	server.Stop(t)
	server.Restart(t)
	client, err := minioClient(server.addr, server.AccessKey, server.SecretKey)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := client.BucketExists(t.Context(), bucket); err != nil || !found {
		t.Fatalf("bucket after a restart: %t, %v", found, err)
	}
}

func TestMinIOBucketsDiffer(t *testing.T) {
	server := MinIO(t)
	bucket := server.Bucket(t)
	if other := server.Bucket(t); other == bucket {
		t.Fatalf("both are %s", bucket)
	}
	client, err := minioClient(server.addr, server.AccessKey, server.SecretKey)
	if err != nil {
		t.Fatal(err)
	}
	for object := range client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		t.Errorf("a fresh bucket holds %s, %v", object.Key, object.Err)
	}
}
