package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/controller/api"
	"github.com/bucketmill/bucketmill/objstore"
)

// fromStdin is the FILE that means standard input.
const fromStdin = "-"

func newPutCommand() *cobra.Command {
	var makeBucket bool
	cmd := &cobra.Command{
		Use:   "put FILE s3://BUCKET/KEY",
		Short: "Write a file to the store, through the server",
		Long: `Put writes a file, or standard input for -, to the store, through the server. A KEY that is missing or
ends with a slash gets the file's name.`,
		Args: exactArgs(2, "a file and s3://BUCKET/KEY"),
	}
	cmd.Flags().BoolVar(&makeBucket, "make-bucket", false, "make the bucket unless there is one")
	return clientCommand(cmd, func(ctx context.Context, s *session, args []string) error {
		return s.put(ctx, cmd.InOrStdin(), args[0], args[1], makeBucket)
	})
}

// put writes a file as an object.
func (s *session) put(ctx context.Context, stdin io.Reader, file, location string, makeBucket bool) (err error) {
	u, err := bucketURL(location)
	if err != nil {
		return err
	}
	in, length := stdin, int64(-1)
	if file != fromStdin {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if in = f; info.Mode().IsRegular() {
			length = info.Size()
		}
		if u.Key == "" || strings.HasSuffix(u.Key, "/") {
			u.Key += filepath.Base(file)
		}
	}
	if makeBucket {
		if err := s.MakeBucket(ctx, u.Bucket); err != nil {
			return err
		}
	}
	o, err := s.Put(ctx, u.Bucket, u.Key, in, length)
	if err != nil {
		return err
	}
	return s.printObject(o)
}

func newGetCommand() *cobra.Command {
	return clientCommand(&cobra.Command{
		Use:   "get s3://BUCKET/KEY [FILE]",
		Short: "Read an object of the store, through the server",
		Long: `Get writes an object to standard output or, once it is whole, to FILE; below it, if FILE is a folder.
--json is for FILE.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usageError{fmt.Errorf("want s3://BUCKET/KEY and possibly a file, got %d arguments", len(args))}
			}
			return nil
		},
	}, func(ctx context.Context, s *session, args []string) error {
		u, err := bucketURL(args[0])
		if err != nil {
			return err
		}
		file := toStdout
		if len(args) > 1 {
			file = args[1]
		}
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			file = filepath.Join(file, path.Base(u.Key))
		}
		if s.json && file == toStdout {
			return usageError{errors.New("--json needs a FILE: standard output has the object")}
		}
		r, err := s.Get(ctx, u.Bucket, u.Key)
		if err != nil {
			return err
		}
		n, err := s.save(r, file)
		if err != nil || file == toStdout {
			return err
		}
		return s.printObject(api.Object{Key: u.Key, URL: u.String(), Size: n})
	})
}

func newLsCommand() *cobra.Command {
	return clientCommand(&cobra.Command{
		Use:   "ls s3://BUCKET[/PREFIX]",
		Short: "List objects of the store, through the server",
		Args:  exactArgs(1, "s3://BUCKET[/PREFIX]"),
	}, func(ctx context.Context, s *session, args []string) error {
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
}

// bucketURL reads s3://BUCKET/KEY, where KEY may be missing.
func bucketURL(location string) (objstore.URL, error) {
	u, err := objstore.ParseURL(location)
	if err != nil {
		return u, usageError{err}
	}
	if u.Scheme != "s3" {
		return u, usageError{fmt.Errorf("%q is a path of this machine: want s3://BUCKET/KEY", location)}
	}
	return u, nil
}

func (s *session) printObject(o api.Object) error {
	if s.json {
		return s.printJSON(o)
	}
	_, err := fmt.Fprintf(s.out, "%s  %s\n", o.URL, size(o.Size))
	return err
}
