package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/objstore"
)

// fromStdin is the FILE that means standard input.
const fromStdin = "-"

func newPutCommand() *cobra.Command {
	var (
		makeBucket bool
		flags      transferFlags
	)
	cmd := &cobra.Command{
		Use:   "put FILE… s3://BUCKET[/KEY]",
		Short: "Write files and folders to the store, through the server",
		Long: `Put writes files to the store, through the server: a file, or standard input for -, as the object KEY; a folder, with
everything below it, as objects below KEY. If KEY is missing or ends with a slash, or if there are several files,
the name of the file or folder is added to it.

If a file fails, put continues with the others, and exits with 1.`,
		Example: `  bucketmill put a.txt s3://inbox/books/a.txt
  bucketmill put books s3://inbox/ --make-bucket
  bucketmill put logs/*.gz s3://inbox/logs/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usageError{fmt.Errorf("put takes files or folders, and s3://BUCKET/KEY; it got %s", plural(len(args), "argument"))}
			}
			return nil
		},
	}
	clientCommand(cmd, func(ctx context.Context, s *session, args []string) error {
		last := len(args) - 1
		u, err := bucketURL(args[last])
		if err != nil {
			return err
		}
		files, err := filesToPut(args[:last], u)
		if err != nil {
			return err
		}
		if makeBucket {
			if err := s.MakeBucket(ctx, u.Bucket); err != nil {
				return err
			}
		}
		all := make([]transfer, len(files))
		for i, f := range files {
			all[i] = s.putting(cmd.InOrStdin(), f)
		}
		return s.transfers(ctx, "put", all, flags)
	})
	cmd.Flags().BoolVar(&makeBucket, "make-bucket", false, "make the bucket unless it exists")
	flags.register(cmd.Flags())
	cmd.ValidArgsFunction = completeLocations
	return cmd
}

// fileToPut is a file and the object that it becomes.
type fileToPut struct {
	path string
	size int64 // bytes; -1 if unknown, since it is not a regular file
	to   objstore.URL
	err  error // why it can't be sent
}

// filesToPut finds the files that arguments name. It fails if two of them would become one object.
func filesToPut(args []string, to objstore.URL) (files []fileToPut, err error) {
	for _, arg := range args {
		below := to
		if len(args) > 1 && below.Key != "" && !strings.HasSuffix(below.Key, "/") {
			below.Key += "/"
		}
		inFolder := below.Key == "" || strings.HasSuffix(below.Key, "/")
		if arg == fromStdin {
			if inFolder {
				return nil, usageError{fmt.Errorf("%s is not an object: standard input has no name to add", below)}
			}
			files = append(files, fileToPut{path: arg, size: -1, to: below})
			continue
		}
		if name := filepath.Base(arg); inFolder && name != "." && name != ".." && name != "/" {
			below.Key += name
		}
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, fileToPut{path: arg, size: sizeOf(info), to: below})
			continue
		}
		found, err := filesBelow(arg, below)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("there are no files in %s", arg)
		}
		files = append(files, found...)
	}
	named := map[string]string{}
	for _, f := range files {
		if other, twice := named[f.to.Key]; twice {
			return nil, usageError{fmt.Errorf("%s and %s would both become %s", other, f.path, f.to)}
		}
		named[f.to.Key] = f.path
	}
	return files, nil
}

// filesBelow finds the files below a folder. It follows symbolic links to files. A link to a folder
// is an error, since it may lead anywhere.
func filesBelow(folder string, to objstore.URL) (files []fileToPut, err error) {
	err = filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return nil
		}
		f := fileToPut{path: name, to: to, err: err}
		if err == nil {
			f.size, f.err = regularSize(name)
		}
		rest, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		f.to.Key = strings.TrimPrefix(path.Join(strings.TrimSuffix(to.Key, "/"), filepath.ToSlash(rest)), "/")
		files = append(files, f)
		return nil
	})
	return files, err
}

func regularSize(name string) (int64, error) {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a symbolic link to a folder: name the folder itself", name)
	} else if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is neither a file nor a folder", name)
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func sizeOf(info fs.FileInfo) int64 {
	if info.Mode().IsRegular() {
		return info.Size()
	}
	return -1
}

// putting returns the transfer of a file.
func (s *session) putting(stdin io.Reader, f fileToPut) transfer {
	return transfer{name: f.path, size: max(f.size, 0), do: func(ctx context.Context, moved func(int)) (o api.Object, err error) {
		if f.err != nil {
			return o, f.err
		}
		if f.path == fromStdin {
			return s.Put(ctx, f.to.Bucket, f.to.Key, stdin, -1)
		}
		file, err := os.Open(f.path)
		if err != nil {
			return o, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		if f.size < 0 {
			return s.Put(ctx, f.to.Bucket, f.to.Key, file, -1)
		}
		return s.Put(ctx, f.to.Bucket, f.to.Key, countedFile{file, moved}, f.size)
	}}
}

// countedFile reports how many bytes are read.
type countedFile struct {
	*os.File
	moved func(bytes int)
}

func (f countedFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	f.moved(n)
	return n, err
}
