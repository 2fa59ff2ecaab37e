// Package s3 is a driver for S3 stores that uses aws-sdk-go-v2. It is for credentials that only
// AWS's own library can get, such as roles that a profile assumes.
package s3

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/internal/s3bucket"
)

// Client has the connections and credentials for one store. It is safe for concurrent use.
type Client struct {
	api    *awss3.Client
	config objstore.S3Config
}

// NewClient returns a client with the SDK's default chain of credentials: the AWS_* variables, the
// shared config and credentials files with their profiles, web identities, and the machine's role.
// It sends nothing to the store. Without a region it uses us-east-1.
func NewClient(ctx context.Context, c objstore.S3Config) (*Client, error) {
	c, err := s3bucket.Resolve(c)
	if err != nil {
		return nil, err
	}
	loaded, err := config.LoadDefaultConfig(ctx, loadOptions(c)...)
	if err != nil {
		return nil, objstore.Invalidf("load the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		loaded.Region = "us-east-1"
	}
	if loaded.BaseEndpoint != nil {
		c.Endpoint = *loaded.BaseEndpoint
	}
	loaded.Credentials = withDenied(loaded.Credentials)
	// Set only now: while it loads, the SDK needs its own client, to which it adds AWS_CA_BUNDLE
	// for the services that issue credentials.
	loaded.HTTPClient = &http.Client{
		Transport:     c.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	api := awss3.NewFromConfig(loaded, func(o *awss3.Options) {
		o.UsePathStyle = c.Addressing == objstore.AddressPath || (c.Addressing == objstore.AddressAuto && c.Endpoint != "")
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return &Client{api: api, config: c}, nil
}

func loadOptions(c objstore.S3Config) []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),                                   // errors are returned
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), // s3bucket retries
		// Payloads have a CRC32C; other requests need no checksum.
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
	}
	if c.Endpoint != "" {
		options = append(options, config.WithBaseEndpoint(c.Endpoint))
	}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	if c.AccessKeyID != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)))
	}
	return options
}

// withDenied wraps a failure to get credentials in ErrDenied. The SDK keeps the chain of errors.
func withDenied(p aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		creds, err := p.Retrieve(ctx)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", objstore.ErrDenied, err)
		}
		return creds, err
	})
}

// unsigned omits the body from the signature over TLS, which protects it; CRC32C detects accidental
// damage. Over plain HTTP the SDK hashes the body.
func unsigned(secure bool) func(*awss3.Options) {
	return func(o *awss3.Options) {
		if secure {
			o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
		}
	}
}

// Bucket is an S3 bucket.
type Bucket struct{ *s3bucket.Bucket }

// Bucket returns the bucket with this name, without a request. The bucket need not exist.
func (c *Client) Bucket(name string) (*Bucket, error) {
	b, err := s3bucket.New(name, &requests{api: c.api, bucket: name, endpoint: c.config.Endpoint, region: c.api.Options().Region}, c.config)
	if err != nil {
		return nil, err
	}
	return &Bucket{b}, nil
}
