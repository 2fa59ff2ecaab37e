package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/objstore"
)

func newInspectCommand() *cobra.Command {
	var store storeFlags
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Verify a segment file and show its contents",
		Long: `Inspect reads every byte of a segment file, which a map task wrote (--keep-intermediates keeps
them). It verifies all checksums, the order of keys and the counts, and prints the partitions. It exits
with 1, and names the place, if the file is not as it was written.`,
		Args: exactArgs(1, "one segment file, as path or URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inspect(cmd, &store, args[0])
		},
	}
	store.register(cmd.Flags())
	return cmd
}

func inspect(cmd *cobra.Command, store *storeFlags, location string) error {
	ctx := cmd.Context()
	stores, err := store.open()
	if err != nil {
		return err
	}
	b, key, err := stores.Open(ctx, location)
	if err != nil {
		return err
	}
	o, err := b.Stat(ctx, key)
	if err != nil {
		return err
	}
	if err := checkMagic(ctx, b, key, location); err != nil {
		return err
	}
	report, err := segfile.Verify(ctx, segfile.Object{
		Name: location, Size: o.Size,
		Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
			return b.Get(ctx, key, offset, length)
		},
	})
	if err != nil {
		return err
	}
	id := report.Identity
	fmt.Fprintf(cmd.OutOrStdout(), "%s: whole; job %s, map task %d, attempt %d\n", location, id.Job, id.Task, id.Attempt)
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "partition\trecords\tbytes\tstored\toffset\t")
	for i, s := range report.Manifest.Segments {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t\n", i, humanize.Comma(s.Records), humanize.Comma(s.RawBytes), humanize.Comma(s.Length), s.Offset)
	}
	return w.Flush()
}

// checkMagic checks that an object begins like a segment file.
func checkMagic(ctx context.Context, b objstore.Bucket, key, location string) (err error) {
	r, err := b.Get(ctx, key, 0, int64(len(segfile.Magic)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	begin, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if string(begin) != segfile.Magic {
		return fmt.Errorf("%s is not a segment file: map tasks write these, and --keep-intermediates keeps them", location)
	}
	return nil
}
