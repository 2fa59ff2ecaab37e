package minio_test

import (
	"context"
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

func driver(t *testing.T) objstoretest.S3 {
	t.Helper()
	server := testservices.MinIO(t)
	return objstoretest.S3{
		Store:  objstore.S3Config{Endpoint: server.Endpoint, AccessKeyID: server.AccessKey, SecretAccessKey: server.SecretKey},
		Bucket: server.Bucket(t),
		Open:   open,
	}
}

func open(_ context.Context, bucket string, c objstore.S3Config) (objstore.Bucket, error) {
	client, err := minio.NewClient(c)
	if err != nil {
		return nil, err
	}
	return client.Bucket(bucket)
}

func TestContract(t *testing.T)   { objstoretest.RunContract(t, driver(t)) }
func TestDeviations(t *testing.T) { objstoretest.RunDeviations(t, driver(t)) }
func TestTLS(t *testing.T)        { objstoretest.RunTLS(t, driver(t)) }
func TestSlow(t *testing.T)       { objstoretest.RunSlow(t, driver(t)) }

func TestFaults(t *testing.T) {
	// minio-go waits once after a failure, even when it may not retry.
	unit := miniogo.DefaultRetryUnit
	miniogo.DefaultRetryUnit = time.Millisecond
	t.Cleanup(func() { miniogo.DefaultRetryUnit = unit })
	objstoretest.RunFaults(t, driver(t))
}

// TestOwnRefusals checks that keys which minio-go itself refuses are refused without a request:
// nothing listens at this endpoint.
func TestOwnRefusals(t *testing.T) {
	b, err := open(t.Context(), "nowhere", objstore.S3Config{Endpoint: "http://127.0.0.1:1", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
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
