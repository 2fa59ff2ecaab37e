package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/objstore"
)

func newLsCommand() *cobra.Command {
	cmd := clientCommand(&cobra.Command{
		Use:   "ls [s3://BUCKET[/PREFIX]]",
		Short: "List objects of the store, or its buckets, through the server",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("ls takes s3://BUCKET[/PREFIX], or no argument for the buckets; it got %d arguments", len(args))}
			}
			return nil
		},
	}, func(ctx context.Context, s *session, args []string) error {
		if len(args) == 0 {
			return s.printBuckets(ctx)
		}
		u, err := bucketURL(args[0])
		if err != nil {
			return err
		}
		objects := s.List(ctx, u.Bucket, u.Key)
		if s.json {
			return printList(s.out, "objects", objects)
		}
		return printTable(s.out, "SIZE MODIFIED URL", objects, func(o api.Object) []string {
			return []string{size(o.Size), ago(o.Modified), o.URL}
		})
	})
	cmd.ValidArgsFunction = completeLocations
	return cmd
}

func (s *session) printBuckets(ctx context.Context) error {
	buckets, err := s.Buckets(ctx)
	if err != nil {
		return err
	}
	if s.json {
		return printList(s.out, "buckets", withoutErrors(buckets))
	}
	for _, b := range buckets {
		if _, err := fmt.Fprintln(s.out, visible(b.URL)); err != nil {
			return err
		}
	}
	return nil
}

func newMbCommand() *cobra.Command {
	var store storeFlags
	cmd := clientCommand(&cobra.Command{
		Use:   "mb s3://BUCKET…",
		Short: "Make buckets",
		Long: `Mb makes buckets, unless they exist, through the server. With --s3-endpoint, or another flag of the store, it sends
the requests to the store, with the credentials of the environment, and needs no server.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("name the buckets to make: s3://BUCKET")}
			}
			return nil
		},
	}, func(ctx context.Context, s *session, args []string) error {
		outliveReader(s.out)
		ensure := s.MakeBucket
		if store.given() {
			stores, err := store.open()
			if err != nil {
				return err
			}
			ensure = func(ctx context.Context, bucket string) error { return stores.EnsureBucket(ctx, "s3://"+bucket) }
		}
		for _, arg := range args {
			u, err := bucketURL(arg)
			if err != nil {
				return err
			}
			if u.Key != "" {
				return usageError{fmt.Errorf("%s is not a bucket: use s3://BUCKET", u)}
			}
			if err := ensure(ctx, u.Bucket); err != nil {
				return err
			}
			if err := s.printBucket(u.Bucket); err != nil {
				return err
			}
		}
		return nil
	})
	store.register(cmd.Flags())
	return cmd
}

func (s *session) printBucket(name string) error {
	b := api.Bucket{Name: name, URL: "s3://" + name}
	if s.json {
		return s.printJSON(b)
	}
	_, err := fmt.Fprintln(s.out, b.URL)
	return err
}

// bucketURL parses s3://BUCKET/KEY, where KEY may be missing.
func bucketURL(location string) (objstore.URL, error) {
	u, err := objstore.ParseURL(location)
	if err != nil {
		return u, usageError{err}
	}
	if u.Scheme != "s3" {
		return u, usageError{fmt.Errorf("%q is a path of this machine: use s3://BUCKET/KEY", location)}
	}
	return u, nil
}

func (s *session) printObject(o api.Object) error {
	if s.json {
		return s.printJSON(o)
	}
	_, err := fmt.Fprintf(s.out, "%s  %s\n", visible(o.URL), size(o.Size))
	return err
}
