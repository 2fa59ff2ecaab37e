package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
	"github.com/spf13/cobra"
)

func newProgramsCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "programs",
		Short: "List the builtin programs, and streaming, with their parameters",
		Args:  exactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return printProgramsJSON(cmd.OutOrStdout())
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, b := range kinds.All().Programs(job.OriginName, job.OriginCommands) {
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return cmd
}

// printedProgram is a program as --json prints it.
type printedProgram struct {
	Name    string         `json:"name"`
	Summary string         `json:"summary"`
	Record  string         `json:"record,omitempty"` // what a record must be
	Params  []printedParam `json:"params"`
}

type printedParam struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	Default string `json:"default,omitempty"`
}

func printProgramsJSON(w io.Writer) error {
	programs := []printedProgram{}
	for _, b := range kinds.All().Programs(job.OriginName, job.OriginCommands) {
		printed := printedProgram{Name: b.Name, Summary: b.Summary, Record: b.Reads, Params: []printedParam{}}
		for _, p := range b.Params {
			printed.Params = append(printed.Params, printedParam{Name: p.Name, Summary: p.Summary, Default: p.Default})
		}
		programs = append(programs, printed)
	}
	return printList(w, "programs", withoutErrors(programs))
}
