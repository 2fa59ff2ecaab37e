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

	set *pflag.FlagSet // that has them

	// parts.Most is set by those that write with an executor's memory.
	parts objstore.PartSizes
}

// register adds the flags to fs.
func (f *storeFlags) register(fs *pflag.FlagSet) {
	f.set = fs
	fs.StringVar(&f.driver, "s3-driver", string(connect.DriverMinio),
		"library that speaks to S3 stores: minio, or s3 for that of AWS")
	fs.StringVar(&f.endpoint, "s3-endpoint", "",
		"http:// or https:// URL of the S3 store (default $AWS_ENDPOINT_URL, or else AWS)")
	fs.StringVar(&f.region, "s3-region", "",
		"region of the S3 store (default $AWS_REGION, or else us-east-1)")
	fs.BoolVar(&f.parts.Equal, "s3-equal-parts", false,
		"upload objects in parts that are all equally large, for stores that want that (always so on Cloudflare's R2)")
	fs.Var((*pathStyle)(&f.addressing), "s3-path-style", "put the bucket into the path of requests, or with =false into the host name (default: the host name on AWS, else the path)")
	fs.Lookup("s3-path-style").NoOptDefVal = "true"
}

// pathStyle is an addressing as a flag: true, false, or empty where it is for the store to say.
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

// given tells whether any flag was.
func (f *storeFlags) given() bool {
	changed := false
	for _, name := range []string{"s3-driver", "s3-endpoint", "s3-region", "s3-path-style"} {
		changed = changed || f.set.Changed(name)
	}
	return changed
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
