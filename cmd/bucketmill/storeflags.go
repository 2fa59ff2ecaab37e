package main

import (
	"strconv"

	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
)

// storeFlags are the flags of every command that reaches object stores. Credentials have none:
// they come from the environment, as do the defaults of the endpoint and the region, which
// the drivers look up.
type storeFlags struct {
	driver     string
	endpoint   string
	region     string
	addressing objstore.Addressing

	// parts.Most is set by those that write with an executor's memory.
	parts objstore.PartSizes
}

// register adds the flags to fs.
func (f *storeFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.driver, "s3-driver", string(connect.DriverMinio),
		"library that speaks to S3 stores: minio, or s3 for that of AWS")
	fs.StringVar(&f.endpoint, "s3-endpoint", "",
		"http:// or https:// URL of the S3 store (default $AWS_ENDPOINT_URL, or else AWS)")
	fs.StringVar(&f.region, "s3-region", "",
		"region of the S3 store (default $AWS_REGION, or else us-east-1)")
	fs.BoolVar(&f.parts.Equal, "s3-equal-parts", false,
		"upload objects in parts that are all equally large, for stores that want that (always so on Cloudflare's R2)")
	fs.BoolFunc("s3-path-style", "put the bucket into the path of requests, or with =false into the host name (default: the host name on AWS, else the path)",
		func(value string) error {
			inPath, err := strconv.ParseBool(value)
			if err != nil {
				return err
			}
			f.addressing = objstore.AddressHost
			if inPath {
				f.addressing = objstore.AddressPath
			}
			return nil
		})
}

// open makes stores of what the flags say. It reaches for none yet.
func (f *storeFlags) open() (*connect.Stores, error) {
	stores, err := connect.New(connect.Config{
		S3Driver:   connect.Driver(f.driver),
		S3Endpoint: f.endpoint,
		Region:     f.region,
		Addressing: f.addressing,
		Parts:      f.parts,
	})
	if err != nil {
		return nil, usageError{err}
	}
	return stores, nil
}
