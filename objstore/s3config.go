package objstore

import (
	"net/http"
	"time"
)

// S3Config says how the S3 drivers reach a store. Its zero value means AWS, with what the usual
// AWS_* variables and credential files say.
type S3Config struct {
	// Endpoint is the store's "http://" or "https://" URL, without a bucket. Empty means
	// AWS_ENDPOINT_URL_S3, then AWS_ENDPOINT_URL, then AWS.
	Endpoint string

	// Region is the store's. Empty means AWS_REGION, then AWS_DEFAULT_REGION, then, with an
	// Endpoint, "us-east-1". On AWS the driver then finds it out: see there.
	Region string

	// Addressing is where the bucket's name goes. AddressAuto means AddressHost on AWS and
	// AddressPath with any other endpoint.
	Addressing Addressing

	// AccessKeyID, SecretAccessKey and SessionToken are credentials. When the first is empty
	// the driver looks for some: in AWS_ACCESS_KEY_ID and its fellows, in the shared
	// credentials file, from the machine's role.
	AccessKeyID, SecretAccessKey, SessionToken string

	// Parts is how large the parts of uploads are. A Writer holds up to 3 in memory.
	Parts PartSizes

	// Retry says how long a failing request is repeated.
	Retry Retry

	// RequestTimeout is the deadline of a single request without a large body, and of the
	// wait for the answer to one with it; 0 means DefaultRequestTimeout.
	RequestTimeout time.Duration

	// IdleTimeout ends a request whose body stands still; 0 means DefaultIdleTimeout.
	IdleTimeout time.Duration

	// HedgeAfter is the least time after which a Get that has no answer yet is sent once more,
	// on a new connection, and a body that stands still is asked for anew. The real time is
	// twice what most answers of late took, between this and MaxHedgeAfter. Such requests are at
	// most a twentieth of all, and there are none while the store asks to slow down. 0 means
	// DefaultHedgeAfter, a negative value never.
	HedgeAfter time.Duration

	// Transport carries the requests; nil means one made for many connections to one host.
	Transport http.RoundTripper
}

// Retry describes exponential backoff with full jitter: before the n-th repetition a request
// waits a random time of up to BaseDelay * 2^(n-1), MaxDelay at most.
type Retry struct {
	Attempts  int           // in all, so 1 repeats nothing; 0 means 8
	BaseDelay time.Duration // 0 means 100 ms
	MaxDelay  time.Duration // 0 means 10 s
}

// Addressing is where a request says which bucket it means.
type Addressing string

// The ways of addressing.
const (
	AddressAuto Addressing = ""
	AddressPath Addressing = "path" // http://store/bucket/key
	AddressHost Addressing = "host" // http://bucket.store/key
)

// Defaults and limits of S3Config.
const (
	DefaultRequestTimeout = 60 * time.Second
	DefaultIdleTimeout    = 30 * time.Second
	DefaultHedgeAfter     = 300 * time.Millisecond
	MaxHedgeAfter         = 5 * time.Second
)

// WithDefaults checks the fields and fills in the numbers. What comes from the environment is
// left to the drivers.
func (c S3Config) WithDefaults() (S3Config, error) {
	switch c.Addressing {
	case AddressAuto, AddressPath, AddressHost:
	default:
		return c, Invalidf("addressing %q is not one of path, host", c.Addressing)
	}
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		return c, Invalidf("access key id and secret access key go together")
	}
	c.Parts = c.Parts.WithDefaults()
	if c.Parts.Least < MinPartSize {
		return c, Invalidf("parts of %d bytes are below the %d that S3 asks for", c.Parts.Least, MinPartSize)
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = DefaultRequestTimeout
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = DefaultIdleTimeout
	}
	if c.HedgeAfter == 0 {
		c.HedgeAfter = DefaultHedgeAfter
	}
	if c.Retry.Attempts == 0 {
		c.Retry.Attempts = 8
	}
	if c.Retry.BaseDelay == 0 {
		c.Retry.BaseDelay = 100 * time.Millisecond
	}
	if c.Retry.MaxDelay == 0 {
		c.Retry.MaxDelay = 10 * time.Second
	}
	if c.RequestTimeout < 0 || c.IdleTimeout < 0 || c.Retry.Attempts < 0 || c.Retry.BaseDelay < 0 || c.Retry.MaxDelay < 0 {
		return c, Invalidf("a negative timeout, delay or number of attempts")
	}
	return c, nil
}
