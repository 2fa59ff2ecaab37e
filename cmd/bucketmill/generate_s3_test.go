package main

import (
	"bytes"
	"io"
	"testing"

	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/test/testservices"
)

func TestGenerateToS3(t *testing.T) {
	server := testservices.MinIO(t)
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	stores, err := connect.New(connect.Config{S3Endpoint: server.Endpoint})
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate(t, "accesslog", "-o", "-", "--size", "200KB")
	if err != nil {
		t.Fatal(err)
	}
	for _, driver := range []string{"minio", "s3"} {
		t.Run(driver, func(t *testing.T) {
			folder := "s3://" + server.Bucket(t) + "/some/logs"
			if _, err := generate(t, "accesslog", "-o", folder, "--size", "200KB",
				"--s3-endpoint", server.Endpoint, "--s3-driver", driver); err != nil {
				t.Fatal(err)
			}
			bucket, key, err := stores.Open(t.Context(), folder+"/accesslog-00000.log")
			if err != nil {
				t.Fatal(err)
			}
			object, err := bucket.Get(t.Context(), key, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer object.Close()
			if got, err := io.ReadAll(object); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
			}
		})
	}
}
