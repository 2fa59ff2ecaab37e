package main

import (
	"strconv"

	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
)

// storeFlags are the flags of every command that reaches object stores. There are none for
// credentials, which come from the environment. The drivers find the defaults of the endpoint and
// the region there, too.
type storeFlags struct {
	driver     string
	endpoint   string
	region     string
	addressing objstore.Addressing

	set *pflag.FlagSet // that contains these flags

	// parts.Most is set by commands that write with an executor's memory.
	parts objstore.PartSizes
}

// register adds the flags to fs.
func (f *storeFlags) register(fs *pflag.FlagSet) {
	f.set = fs
	fs.StringVar(&f.driver, "s3-driver", string(connect.DriverMinio),
		"library for S3 stores: minio, or s3 for AWS's own library")
	fs.StringVar(&f.endpoint, "s3-endpoint", "",
		"http:// or https:// URL of the S3 store (default: $AWS_ENDPOINT_URL, else AWS)")
	fs.StringVar(&f.region, "s3-region", "",
		"region of the S3 store (default: $AWS_REGION, else us-east-1)")
	fs.BoolVar(&f.parts.Equal, "s3-equal-parts", false,
		"upload objects in parts of equal size, for stores that require this (always on Cloudflare's R2)")
	fs.Var((*pathStyle)(&f.addressing), "s3-path-style", "name the bucket in the path of requests, or with =false in the host name (default: in the host name on AWS, else in the path)")
	fs.Lookup("s3-path-style").NoOptDefVal = "true"
}

// pathStyle is an addressing as a flag: true, false, or empty for the default of the store.
type pathStyle objstore.Addressing

func (p *pathStyle) String() string {
	switch objstore.Addressing(*p) {
	case objstore.AddressPath:
		return "true"
	case objstore.AddressHost:
		return "false"
	}
	return ""
}

func (p *pathStyle) Set(value string) error {
	inPath, err := strconv.ParseBool(value)
	if err != nil {
		return err
	}
	*p = pathStyle(objstore.AddressHost)
	if inPath {
		*p = pathStyle(objstore.AddressPath)
	}
	return nil
}

func (*pathStyle) Type() string { return "bool" }

// given reports whether any of the flags was given.
func (f *storeFlags) given() bool {
	changed := false
	for _, name := range []string{"s3-driver", "s3-endpoint", "s3-region", "s3-path-style"} {
		changed = changed || f.set.Changed(name)
	}
	return changed
}

// open returns the stores for these flags. It sends no request.
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
