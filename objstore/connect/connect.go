// Package connect opens buckets by URL.
package connect

import (
	"context"
	"fmt"
	"sync"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/file"
	"github.com/bucketmill/bucketmill/objstore/minio"
	"github.com/bucketmill/bucketmill/objstore/s3"
)

// Driver names the library for S3 stores. docs/decisions/0018 compares them.
type Driver string

// The drivers.
const (
	DriverMinio Driver = "minio" // minio-go
	DriverS3    Driver = "s3"    // aws-sdk-go-v2
)

// Config says how stores are reached. Its zero value is for file URLs and AWS.
type Config struct {
	// S3Driver opens s3 URLs; empty means DriverMinio.
	S3Driver Driver

	// S3Endpoint, Region and Addressing are as in [objstore.S3Config]. Credentials come from
	// the environment.
	S3Endpoint string
	Region     string
	Addressing objstore.Addressing

	// Parts is the size of upload parts.
	Parts objstore.PartSizes
}

// Stores opens buckets, and caches them with their connections. It is safe for concurrent use.
type Stores struct {
	config Config

	mu      sync.Mutex
	buckets map[string]objstore.Bucket // guarded by mu, like the fields below: by URL
	minio   *minio.Client              // nil until an s3 URL needs it
	s3      *s3.Client                 // nil until an s3 URL needs it
}

// New returns Stores for a configuration. It opens no bucket.
func New(c Config) (*Stores, error) {
	switch c.S3Driver {
	case "":
		c.S3Driver = DriverMinio
	case DriverMinio, DriverS3:
	default:
		return nil, objstore.Invalidf("the S3 driver %q is not one of minio, s3", c.S3Driver)
	}
	return &Stores{config: c, buckets: make(map[string]objstore.Bucket)}, nil
}

// Open returns the bucket of a URL or path, and the key, prefix or glob in it. The location is
// parsed by [objstore.ParseURL]. All files are in one bucket, "file://". Open sends no request.
func (s *Stores) Open(ctx context.Context, rawURL string) (b objstore.Bucket, key string, err error) {
	u, err := objstore.ParseURL(rawURL)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[u.BucketURL()]
	if !ok {
		if b, err = s.connect(ctx, u); err != nil {
			return nil, "", fmt.Errorf("open %s: %w", u.BucketURL(), err)
		}
		s.buckets[u.BucketURL()] = b
	}
	return b, u.Key, nil
}

// connect opens a bucket. The caller has locked mu.
func (s *Stores) connect(ctx context.Context, u objstore.URL) (objstore.Bucket, error) {
	if u.Scheme == "file" {
		b, err := file.Open("/")
		if err != nil {
			return nil, err
		}
		b.Parts = s.config.Parts
		return b, nil
	}
	config := objstore.S3Config{
		Endpoint:   s.config.S3Endpoint,
		Region:     s.config.Region,
		Addressing: s.config.Addressing,
		Parts:      s.config.Parts,
	}
	if s.config.S3Driver == DriverS3 {
		if s.s3 == nil {
			client, err := s3.NewClient(ctx, config)
			if err != nil {
				return nil, err
			}
			s.s3 = client
		}
		return s.s3.Bucket(u.Bucket)
	}
	if s.minio == nil {
		client, err := minio.NewClient(config)
		if err != nil {
			return nil, err
		}
		s.minio = client
	}
	return s.minio.Bucket(u.Bucket)
}

// EnsureBucket makes the bucket of an s3 URL unless it exists. For a file URL it does nothing:
// folders are made by the first write.
func (s *Stores) EnsureBucket(ctx context.Context, rawURL string) error {
	b, _, err := s.Open(ctx, rawURL)
	if err != nil {
		return err
	}
	if b, ok := b.(objstore.BucketEnsurer); ok {
		return b.EnsureBucket(ctx)
	}
	return nil
}

// Buckets returns the names of all buckets of the S3 store that the credentials own.
func (s *Stores) Buckets(ctx context.Context) ([]string, error) {
	b, _, err := s.Open(ctx, "s3://any") // the request names no bucket
	if err != nil {
		return nil, err
	}
	lister, ok := b.(objstore.BucketLister)
	if !ok {
		return nil, fmt.Errorf("list the buckets of the store: %w", objstore.ErrNotSupported)
	}
	return lister.Buckets(ctx)
}

// Stats returns the sum of the counts of all buckets that were opened.
func (s *Stores) Stats() (total objstore.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.buckets {
		if meter, ok := b.(objstore.Meter); ok {
			total = total.Plus(meter.Stats())
		}
	}
	return total
}
