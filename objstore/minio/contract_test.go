package minio_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/minio"
	"github.com/bucketmill/bucketmill/objstore/objstoretest"
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
	client, err := minio.NewClient(c)
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

// TestOwnRefusals wants what minio-go refuses by itself refused at once: nobody answers here.
func TestOwnRefusals(t *testing.T) {
	b := open(t, "nowhere", objstore.S3Config{Endpoint: "http://127.0.0.1:1", Region: "us-east-1"})
	long := strings.Repeat("k", objstore.MaxKey+1)
	for _, key := range []string{"", " ", " \t ", long, "\xff"} {
		_, err := b.Put(t.Context(), key, nil)
		wantInvalid(t, "Put", key, err)
		w, err := b.Create(t.Context(), key)
		if err == nil {
			_, err = w.Commit()
		}
		wantInvalid(t, "Create", key, err)
		_, err = b.Stat(t.Context(), key)
		wantInvalid(t, "Stat", key, err)
		_, err = b.Get(t.Context(), key, 0, -1)
		wantInvalid(t, "Get", key, err)
	}
	for _, prefix := range []string{long, "\xff"} {
		for _, err := range b.List(t.Context(), prefix) {
			wantInvalid(t, "List", prefix, err)
		}
		for _, err := range b.Uploads(t.Context(), prefix) {
			wantInvalid(t, "Uploads", prefix, err)
		}
	}
}

func wantInvalid(t *testing.T, verb, key string, err error) {
	t.Helper()
	if !errors.Is(err, objstore.ErrInvalid) || errors.Is(err, objstore.ErrUnavailable) {
		t.Errorf("%s of %.20q: %v", verb, key, err)
	}
}

func TestFaults(t *testing.T) {
	// minio-go waits once after a failure even where it is told not to repeat.
	unit := miniogo.DefaultRetryUnit
	miniogo.DefaultRetryUnit = time.Millisecond
	t.Cleanup(func() { miniogo.DefaultRetryUnit = unit })
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
