package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/objstore"
)

func newRmCommand() *cobra.Command {
	var (
		recursive bool
		flags     transferFlags
	)
	cmd := clientCommand(&cobra.Command{
		Use:   "rm s3://BUCKET/KEY…",
		Short: "Remove objects of the store, through the server",
		Long: `Rm removes objects, through the server. With --recursive it also removes all objects below a KEY, which it treats as
a folder: s3://outbox/wc and s3://outbox/wc/ are then the same, and s3://outbox/wc2 is not affected. It needs a token
with the role admin.

If an object fails, rm continues with the others, and exits with 1.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("name the objects to remove: s3://BUCKET/KEY")}
			}
			return nil
		},
	}, func(ctx context.Context, s *session, args []string) error {
		var all []transfer
		for _, arg := range args {
			u, err := bucketURL(arg)
			if err != nil {
				return err
			}
			if isFolder(u) && !recursive {
				return usageError{fmt.Errorf("%s is not an object: --recursive removes all objects below it", u)}
			}
			found, err := s.removing(ctx, u, recursive)
			if err != nil {
				return err
			}
			all = append(all, found...)
		}
		return s.transfers(ctx, "removed", all, flags)
	})
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "remove all objects below a KEY, or of a bucket")
	flags.register(cmd.Flags())
	cmd.ValidArgsFunction = completeLocations
	return cmd
}

// removing returns the removals of the objects that a URL names.
func (s *session) removing(ctx context.Context, u objstore.URL, recursive bool) (all []transfer, err error) {
	add := func(o api.Object) {
		all = append(all, transfer{name: o.URL, do: func(ctx context.Context, _ func(int)) (api.Object, error) {
			return o, s.Delete(ctx, u.Bucket, o.Key)
		}})
	}
	if !isFolder(u) {
		o, err := s.Stat(ctx, u.Bucket, u.Key)
		if err == nil {
			add(o)
		} else if err = s.noObject(ctx, u, err); !recursive {
			return nil, err
		}
	}
	if !recursive {
		return all, nil
	}
	prefix := u.Key
	if prefix != "" {
		prefix = strings.TrimSuffix(prefix, "/") + "/"
	}
	for o, err := range s.List(ctx, u.Bucket, prefix) {
		if err != nil {
			return nil, err
		}
		add(o)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no object %s, and there are none below it", u)
	}
	return all, nil
}
