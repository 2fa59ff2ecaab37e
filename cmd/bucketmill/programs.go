package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/executor/program"
)

func newProgramsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "programs",
		Short: "List the builtin programs, and streaming, with their parameters",
		Args:  exactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, b := range append(program.Builtins(), program.Streaming()) {
				fmt.Fprintf(w, "%s\t%s\n", b.Name, b.Summary)
				if b.Reads != "" {
					fmt.Fprintf(w, "\ta record: %s\n", b.Reads)
				}
				for _, p := range b.Params {
					standard := ""
					if p.Default != "" {
						standard = " (default " + strings.ReplaceAll(p.Default, "\t", "TAB") + ")"
					}
					fmt.Fprintf(w, "  %s\t  %s%s\n", p.Name, p.Summary, standard)
				}
			}
			return w.Flush()
		},
	}
}
