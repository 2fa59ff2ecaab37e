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

// Driver names the library that speaks to S3 stores.
type Driver string

// The drivers.
const (
	DriverMinio Driver = "minio" // minio-go
	DriverS3    Driver = "s3"    // aws-sdk-go-v2
)

// Config says how stores are reached. Its zero value serves file URLs and AWS.
type Config struct {
	// S3Driver serves s3 URLs; empty means DriverMinio.
	S3Driver Driver

	// S3Endpoint, Region and Addressing are those of [objstore.S3Config]; credentials come
	// from the environment.
	S3Endpoint string
	Region     string
	Addressing objstore.Addressing

	// Parts is how large the parts of uploads are.
	Parts objstore.PartSizes
}

// Stores opens buckets and keeps them, with their connections, for later. It is safe for
// concurrent use.
type Stores struct {
	config Config

	mu      sync.Mutex
	buckets map[string]objstore.Bucket // guarded by mu, like the rest: by URL
	minio   *minio.Client              // nil until an s3 URL needs it, like the next
	s3      *s3.Client
}

// New checks the configuration.
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

// Open finds the bucket of a URL or path, as [objstore.ParseURL] reads it, and the key, prefix
// or glob in it. All files are in one bucket, "file://". It makes no request.
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

// connect needs mu.
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

// EnsureBucket makes the bucket of an s3 URL where there is none. Folders are made when they are
// written to, so there is nothing to do for a file URL.
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
	b, _, err := s.Open(ctx, "s3://any") // the request names none
	if err != nil {
		return nil, err
	}
	lister, ok := b.(objstore.BucketLister)
	if !ok {
		return nil, fmt.Errorf("list the buckets of the store: %w", objstore.ErrNotSupported)
	}
	return lister.Buckets(ctx)
}

// Stats is what all buckets that were opened have asked of their stores.
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
