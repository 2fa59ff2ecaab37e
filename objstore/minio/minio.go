// Package minio is the default driver for S3 stores. It uses minio-go.
package minio

import (
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/internal/s3bucket"
)

// Client has the connections and credentials for one store. It is safe for concurrent use.
type Client struct {
	core   *minio.Core
	config objstore.S3Config
	plain  bool // HTTP without TLS
}

// NewClient returns a client, without a request. If the config has no credentials, the client looks
// for them in the AWS_* variables, the shared credentials file and the machine's role, in this
// order; if there are none, its requests are anonymous. If neither the config nor the environment
// sets the region on AWS, the client asks AWS for it.
func NewClient(c objstore.S3Config) (*Client, error) {
	c, err := s3bucket.Resolve(c)
	if err != nil {
		return nil, err
	}
	host, secure := "s3.amazonaws.com", true
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil {
			return nil, objstore.Invalidf("endpoint: %w", err)
		}
		host, secure = u.Host, u.Scheme == "https"
	}
	lookups := map[objstore.Addressing]minio.BucketLookupType{
		objstore.AddressAuto: minio.BucketLookupAuto,
		objstore.AddressPath: minio.BucketLookupPath,
		objstore.AddressHost: minio.BucketLookupDNS,
	}
	core, err := minio.NewCore(host, &minio.Options{
		Creds:        credentialsFor(c),
		Secure:       secure,
		Transport:    c.Transport,
		Region:       c.Region,
		BucketLookup: lookups[c.Addressing],
		// s3bucket retries. After a failure minio-go still waits once, for up to 200 ms.
		MaxRetries: 1,
	})
	if err != nil {
		return nil, objstore.Invalidf("%w", err)
	}
	return &Client{core: core, config: c, plain: !secure}, nil
}

// roleTimeout limits a request to the machine's metadata service.
const roleTimeout = 2 * time.Second

func credentialsFor(c objstore.S3Config) *credentials.Credentials {
	if c.AccessKeyID != "" {
		return credentials.NewStaticV4(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	}
	chain := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if os.Getenv("AWS_EC2_METADATA_DISABLED") != "true" {
		chain = append(chain, &credentials.IAM{Client: &http.Client{Timeout: roleTimeout}})
	}
	return credentials.NewChainCredentials(chain)
}

// Bucket is an S3 bucket.
type Bucket struct{ *s3bucket.Bucket }

// Bucket returns the bucket with this name, without a request. The bucket need not exist.
func (c *Client) Bucket(name string) (*Bucket, error) {
	b, err := s3bucket.New(name, &requests{core: c.core, bucket: name, plain: c.plain}, c.config)
	if err != nil {
		return nil, err
	}
	return &Bucket{b}, nil
}
