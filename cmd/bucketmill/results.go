package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newResultsCommand() *cobra.Command {
	var output string
	cmd := jobCommand(&cobra.Command{
		Use:   "results JOB",
		Short: "Fetch the output of a completed job",
		Long: `Results writes the parts of a job's output, in order, as one stream. The server checks them while it
sends them; if they are not what the job wrote, the command fails and does not make FILE.

With --json it prints the parts with URLs at which they can be read, if the store offers such URLs.`,
		Args: exactArgs(1, "one job: an id, or last"),
	}, func(ctx context.Context, s *session, args []string) error {
		id, err := s.jobNamed(ctx, args[0])
		if err != nil {
			return err
		}
		if s.json {
			links, err := s.Links(ctx, id)
			if err != nil {
				return err
			}
			return printList(s.out, "parts", withoutErrors(links))
		}
		r, err := s.Results(ctx, id)
		if err != nil {
			return err
		}
		_, err = s.save(r, output)
		return err
	})
	cmd.Flags().StringVarP(&output, "output", "o", toStdout, "FILE to write, or - for standard output")
	return cmd
}

// save copies a stream to standard output or a file, and closes the stream. The file appears only
// when it is whole, except that an existing device or pipe is written to. save returns the number
// of bytes.
func (s *session) save(r io.ReadCloser, path string) (n int64, err error) {
	defer func() { err = errors.Join(err, r.Close()) }()
	if path == toStdout {
		return io.Copy(raw(s.out), r)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return 0, err
		}
		n, err = io.Copy(f, r)
		return n, errors.Join(err, f.Close())
	}
	f, err := createBeside(path)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return n, errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return n, nil
}

// createBeside makes a file that will be renamed to path. It has the mode of an existing file, or
// the default mode.
func createBeside(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".bucketmill-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	if old, err := os.Stat(path); err == nil {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return nil, errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close(), os.Remove(f.Name()))
		}
	}
	return f, nil
}
