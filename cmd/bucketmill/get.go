package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/objstore"
)

func newGetCommand() *cobra.Command {
	var flags transferFlags
	cmd := clientCommand(&cobra.Command{
		Use:   "get s3://BUCKET/KEY… [FILE|FOLDER]",
		Short: "Read objects of the store, through the server",
		Long: `Get writes an object to standard output, to FILE once the object is whole, or to a file below FOLDER. For a KEY
that ends with a slash, or a bucket, it writes all objects below it to files below FOLDER; so it does for several
objects. It makes FOLDER if needed. It refuses a key that is not a valid file name below FOLDER, such as a/../b.

If an object fails, get continues with the others, and exits with 1. --json can't be used with standard output.`,
		Example: `  bucketmill get s3://outbox/wc/part-00000 | head
  bucketmill get s3://outbox/wc/ results/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("name s3://BUCKET/KEY, and optionally a file or folder")}
			}
			return nil
		},
	}, func(ctx context.Context, s *session, args []string) error {
		to := toStdout
		if last := len(args) - 1; last > 0 && !strings.HasPrefix(args[last], "s3://") {
			to, args = args[last], args[:last]
		}
		var from []objstore.URL
		for _, arg := range args {
			u, err := bucketURL(arg)
			if err != nil {
				return err
			}
			from = append(from, u)
		}
		return s.get(ctx, from, to, flags)
	})
	flags.register(cmd.Flags())
	cmd.ValidArgsFunction = completeLocations
	return cmd
}

// isFolder reports whether a URL means all objects below it.
func isFolder(u objstore.URL) bool { return u.Key == "" || strings.HasSuffix(u.Key, "/") }

// get reads objects to standard output, a file or a folder.
func (s *session) get(ctx context.Context, from []objstore.URL, to string, flags transferFlags) error {
	first := from[0]
	switch {
	case to != toStdout && (len(from) > 1 || isFolder(first)):
		return s.getInto(ctx, from, to, flags)
	case len(from) > 1:
		return usageError{errors.New("name a folder for several objects")}
	case isFolder(first):
		return usageError{fmt.Errorf("%s is not an object: name a folder for all objects below it", first)}
	case to == toStdout && s.json:
		return usageError{errors.New("--json needs a FILE: the object goes to standard output")}
	case to == toStdout:
		r, err := s.Get(ctx, first.Bucket, first.Key)
		if err != nil {
			return err
		}
		_, err = s.save(r, to)
		return err
	}
	if info, err := os.Stat(to); err == nil && info.IsDir() || strings.HasSuffix(to, "/") {
		return s.getInto(ctx, from, to, flags)
	}
	o, err := s.Stat(ctx, first.Bucket, first.Key)
	if err != nil {
		return s.noObject(ctx, first, err)
	}
	return s.transfers(ctx, "got", []transfer{{name: first.String(), size: o.Size, do: func(ctx context.Context, moved func(int)) (api.Object, error) {
		r, err := s.Get(ctx, first.Bucket, first.Key)
		if err != nil {
			return o, err
		}
		o.Size, err = s.save(countedReader{r, moved}, to)
		return o, err
	}}}, flags)
}

// noObject explains why an object was not found. The answer to Stat has no body with a reason, and
// u may be a prefix.
func (s *session) noObject(ctx context.Context, u objstore.URL, err error) error {
	if problem, ok := errors.AsType[*api.Problem](err); !ok || problem.Code != "" {
		return err
	}
	r, getErr := s.Get(ctx, u.Bucket, u.Key)
	if getErr == nil {
		return errors.Join(err, r.Close())
	}
	problem, ok := errors.AsType[*api.Problem](getErr)
	if !ok || problem.Code != api.CodeObjectNotFound {
		return getErr
	}
	for _, listErr := range s.List(ctx, u.Bucket, u.Key+"/") {
		if listErr != nil {
			break // problem is enough
		}
		return fmt.Errorf("%s is not an object, but there are objects below %s/", u, u)
	}
	return problem
}

// getInto reads objects into files below a folder. It writes nothing outside of the folder.
func (s *session) getInto(ctx context.Context, from []objstore.URL, folder string, flags transferFlags) (err error) {
	var all []transfer
	var root *os.Root
	taken := map[string]string{}
	add := func(o api.Object, bucket, name string) error {
		if strings.HasSuffix(name, "/") && o.Size == 0 {
			return nil // some tools make such objects for folders
		}
		t := transfer{name: o.URL, size: o.Size}
		other, twice := taken[name]
		switch {
		case twice:
			return usageError{fmt.Errorf("%s and %s would both become %s", other, o.URL, filepath.Join(folder, name))}
		case name != path.Clean(name) || !filepath.IsLocal(name):
			t.do = func(context.Context, func(int)) (api.Object, error) {
				return o, fmt.Errorf("%q is not a valid file name below %s", name, folder)
			}
		default:
			t.do = func(ctx context.Context, moved func(int)) (api.Object, error) {
				r, err := s.Get(ctx, bucket, o.Key)
				if err != nil {
					return o, err
				}
				return o, saveBelow(root, name, countedReader{r, moved})
			}
		}
		taken[name] = o.URL
		all = append(all, t)
		return nil
	}
	for _, u := range from {
		if !isFolder(u) {
			o, err := s.Stat(ctx, u.Bucket, u.Key)
			if err != nil {
				return s.noObject(ctx, u, err)
			}
			if err := add(o, u.Bucket, path.Base(u.Key)); err != nil {
				return err
			}
			continue
		}
		found := 0
		for o, err := range s.List(ctx, u.Bucket, u.Key) {
			if err != nil {
				return err
			}
			found++
			if err := add(o, u.Bucket, strings.TrimPrefix(o.Key, u.Key)); err != nil {
				return err
			}
		}
		if found == 0 {
			return fmt.Errorf("there are no objects below %s", u)
		}
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	if root, err = os.OpenRoot(folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return s.transfers(ctx, "got", all, flags)
}

// saveBelow copies a stream to a file below a folder, and closes the stream. The file appears only
// when it is whole.
func saveBelow(root *os.Root, name string, r io.ReadCloser) (err error) {
	defer func() { err = errors.Join(err, r.Close()) }()
	folder := path.Dir(name)
	if err := root.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	pending := path.Join(folder, ".bucketmill-"+rand.Text())
	f, err := root.OpenFile(pending, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(pending, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(pending))
	}
	return nil
}

// countedReader reports how many bytes are read.
type countedReader struct {
	io.ReadCloser
	moved func(bytes int)
}

func (r countedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.moved(n)
	return n, err
}
