// Package minio reaches S3 stores by minio-go: the light driver, and the default one.
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

// Client holds the connections and credentials for one store. It is safe for concurrent use.
type Client struct {
	core   *minio.Core
	config objstore.S3Config
	plain  bool // HTTP without TLS
}

// NewClient prepares a client, without a request. Without credentials in the config it looks,
// in this order, for those of the AWS_ variables, of the shared credentials file, and of the
// machine's role; where there are none it asks anonymously. On AWS it finds the region out where
// the config and the environment don't say.
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
		// s3bucket repeats. After a failure minio-go still waits once, for up to 200 ms.
		MaxRetries: 1,
	})
	if err != nil {
		return nil, objstore.Invalidf("%w", err)
	}
	return &Client{core: core, config: c, plain: !secure}, nil
}

// roleTimeout is how long the machine's metadata service may take to name its role.
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

// Bucket makes the bucket of that name, which need not exist, without a request.
func (c *Client) Bucket(name string) (*Bucket, error) {
	b, err := s3bucket.New(name, &requests{core: c.core, bucket: name, plain: c.plain}, c.config)
	if err != nil {
		return nil, err
	}
	return &Bucket{b}, nil
}
