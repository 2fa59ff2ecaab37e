// Package s3 reaches S3 stores by aws-sdk-go-v2: the driver for what only AWS's own library
// knows, such as single sign-on, assumed roles and profiles.
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

// Client holds the connections and credentials for one store. It is safe for concurrent use.
type Client struct {
	api    *awss3.Client
	config objstore.S3Config
}

// NewClient prepares a client by the SDK's default chain: the AWS_ variables, the shared config
// and credentials files with their profiles, web identities, and the machine's role. It sends
// nothing to the store.
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
	loaded.Credentials = named(loaded.Credentials)
	// Not while loading: the SDK wants a client of its own there to give it AWS_CA_BUNDLE, for
	// the services that it gets credentials from.
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
		config.WithLogger(logging.Nop{}),                                   // what goes wrong comes back as an error
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), // s3bucket repeats
		// Payloads come with a CRC32C; other requests need none.
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

// named gives the want of credentials package objstore's name, which the SDK keeps in the chain.
func named(p aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		creds, err := p.Retrieve(ctx)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", objstore.ErrDenied, err)
		}
		return creds, err
	})
}

// unsigned leaves the body out of the signature. Over TLS it is safe without, and CRC32C guards it
// against accidents; over plain HTTP the SDK hashes it.
func unsigned(secure bool) func(*awss3.Options) {
	return func(o *awss3.Options) {
		if secure {
			o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
		}
	}
}

// Bucket is an S3 bucket.
type Bucket struct{ *s3bucket.Bucket }

// Bucket makes the bucket of that name, which need not exist, without a request.
func (c *Client) Bucket(name string) (*Bucket, error) {
	b, err := s3bucket.New(name, &requests{api: c.api, bucket: name, endpoint: c.config.Endpoint, region: c.api.Options().Region}, c.config)
	if err != nil {
		return nil, err
	}
	return &Bucket{b}, nil
}
