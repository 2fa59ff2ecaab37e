package objstore

import (
	"net/http"
	"time"
)

// S3Config says how the S3 drivers reach a store. Its zero value means AWS, with the settings of
// the usual AWS_* variables and credential files.
type S3Config struct {
	// Endpoint is the store's "http://" or "https://" URL, without a bucket. Empty means
	// AWS_ENDPOINT_URL_S3, then AWS_ENDPOINT_URL, then AWS.
	Endpoint string

	// Region is the store's region. Empty means AWS_REGION, then AWS_DEFAULT_REGION, then
	// "us-east-1" if there is an Endpoint. On AWS the driver then decides; see its NewClient.
	Region string

	// Addressing says where requests name the bucket. AddressAuto means AddressHost on AWS and
	// AddressPath with any other endpoint.
	Addressing Addressing

	// AccessKeyID, SecretAccessKey and SessionToken are the credentials. If AccessKeyID is empty,
	// the driver looks for credentials in AWS_ACCESS_KEY_ID and the related variables, in the
	// shared credentials file, and in the machine's role.
	AccessKeyID, SecretAccessKey, SessionToken string

	// Parts is the size of upload parts. A Writer keeps up to 3 parts in memory.
	Parts PartSizes

	// Retry says how often, and after which delays, a failed request is sent again.
	Retry Retry

	// RequestTimeout is the deadline of a single request without a large body. With a large body
	// it limits the wait for the answer. 0 means DefaultRequestTimeout.
	RequestTimeout time.Duration

	// IdleTimeout ends a request whose body makes no progress; 0 means DefaultIdleTimeout.
	IdleTimeout time.Duration

	// HedgeAfter is the least time after which a Get without an answer is sent again on a new
	// connection, and a body without progress is requested again. The actual time is twice what
	// most recent answers took, between HedgeAfter and MaxHedgeAfter. At most one Get in twenty
	// is hedged, and none while the store asks to slow down. 0 means DefaultHedgeAfter, a
	// negative value turns hedging off.
	HedgeAfter time.Duration

	// Transport carries the requests; nil means one made for many connections to one host.
	Transport http.RoundTripper
}

// Retry describes exponential backoff with full jitter: before its n-th retry a request waits a
// random time of up to BaseDelay * 2^(n-1), and at most MaxDelay.
type Retry struct {
	Attempts  int           // in all: 1 means no retry, 0 means 8
	BaseDelay time.Duration // 0 means 100 ms
	MaxDelay  time.Duration // 0 means 10 s
}

// Addressing says where a request names its bucket.
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

// WithDefaults checks the fields and replaces numbers that are 0. The drivers add what comes from
// the environment.
func (c S3Config) WithDefaults() (S3Config, error) {
	switch c.Addressing {
	case AddressAuto, AddressPath, AddressHost:
	default:
		return c, Invalidf("addressing %q is not one of path, host", c.Addressing)
	}
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		return c, Invalidf("set both the access key id and the secret access key, or neither")
	}
	c.Parts = c.Parts.WithDefaults()
	if c.Parts.Least < MinPartSize {
		return c, Invalidf("upload parts of %d bytes are too small: S3 requires at least %d", c.Parts.Least, MinPartSize)
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
		return c, Invalidf("a timeout, delay or number of attempts is negative")
	}
	return c, nil
}
