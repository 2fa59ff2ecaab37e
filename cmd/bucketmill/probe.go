package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/objstore"
)

func newProbeCommand() *cobra.Command {
	var store storeFlags
	cmd := &cobra.Command{
		Use:   "probe URL",
		Short: "Find out what an object store can do",
		Long: `Probe writes a few small objects below the URL, tries ranges, multipart uploads and conditional
puts by racing writers, and removes the objects. It reports every check, whatever the store answers. It
exits with 1 if the store lacks something that Bucketmill needs.`,
		Args: exactArgs(1, "one URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			stores, err := store.open()
			if err != nil {
				return err
			}
			b, prefix, err := stores.Open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			report, err := objstore.Probe(cmd.Context(), b, strings.TrimSuffix(prefix, "/"))
			if len(report.Found) > 0 {
				fmt.Fprintln(cmd.OutOrStdout(), report)
			}
			return errors.Join(report.Err(), err)
		},
	}
	store.register(cmd.Flags())
	return cmd
}
