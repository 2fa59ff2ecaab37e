package s3bucket

import (
	"errors"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "")
	}
}

func TestResolve(t *testing.T) {
	clearEnvironment(t)
	c, err := Resolve(objstore.S3Config{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Endpoint != "" || c.Region != "" || c.Transport == nil || c.Parts.Least != objstore.DefaultPartSize ||
		c.RequestTimeout != objstore.DefaultRequestTimeout || c.Retry.Attempts == 0 {
		t.Errorf("for AWS: %+v", c)
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
	if c, err = Resolve(objstore.S3Config{}); err != nil || c.Endpoint != "http://127.0.0.1:9000" || c.Region != "us-east-1" {
		t.Errorf("by AWS_ENDPOINT_URL: %+v, %v", c, err)
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
	t.Setenv("AWS_DEFAULT_REGION", "eu-west-1")
	if c, err = Resolve(objstore.S3Config{}); err != nil || c.Endpoint != "https://s3.example.com" || c.Region != "eu-west-1" {
		t.Errorf("by AWS_ENDPOINT_URL_S3: %+v, %v", c, err)
	}
	if c, err = Resolve(objstore.S3Config{Endpoint: "http://own/", Region: "own"}); err != nil || c.Endpoint != "http://own/" || c.Region != "own" {
		t.Errorf("by the config: %+v, %v", c, err)
	}
}

func TestResolveRefuses(t *testing.T) {
	clearEnvironment(t)
	for name, c := range map[string]objstore.S3Config{
		"scheme":      {Endpoint: "ftp://host"},
		"no scheme":   {Endpoint: "127.0.0.1:9000"},
		"path":        {Endpoint: "http://host/bucket"},
		"addressing":  {Addressing: "sideways"},
		"half a key":  {AccessKeyID: "id"},
		"small parts": {Parts: objstore.PartSizes{Least: 1 << 20}},
		"negative":    {RequestTimeout: -time.Second},
	} {
		if _, err := Resolve(c); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Setenv("AWS_CA_BUNDLE", "/no/such/file")
	if _, err := Resolve(objstore.S3Config{}); !errors.Is(err, objstore.ErrInvalid) {
		t.Errorf("bundle: %v", err)
	}
}
