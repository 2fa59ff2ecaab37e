package s3bucket

import (
	"cmp"
	"net/url"
	"os"
	"strings"

	"github.com/bucketmill/bucketmill/objstore"
)

// Resolve fills in a config from the environment, and then with defaults. If the Endpoint stays
// empty, the store is AWS.
func Resolve(c objstore.S3Config) (objstore.S3Config, error) {
	c, err := c.WithDefaults()
	if err != nil {
		return c, err
	}
	c.Endpoint = cmp.Or(c.Endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
	c.Region = cmp.Or(c.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if c.Region == "" && c.Endpoint != "" {
		c.Region = "us-east-1"
	}
	if c.Transport == nil {
		if c.Transport, err = newTransport(); err != nil {
			return c, err
		}
	}
	c.Transport = wrapTransport(c.Transport)
	if c.Endpoint == "" {
		return c, nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return c, objstore.Invalidf("endpoint: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
		return c, objstore.Invalidf("%q is not a valid endpoint: write http://host:port or https://host", c.Endpoint)
	}
	return c, nil
}

// wantsEqualParts reports whether a store refuses uploads whose parts differ in size:
// https://developers.cloudflare.com/r2/objects/multipart-objects/.
func wantsEqualParts(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && strings.HasSuffix(u.Hostname(), ".r2.cloudflarestorage.com")
}
