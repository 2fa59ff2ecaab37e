package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// version is stamped by the build (-X main.version=…).
var version = "devel"

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand() //nolint:contextcheck // commands get theirs from ExecuteContext
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	for _, err := range unreported(err) {
		fmt.Fprintf(stderr, "bucketmill: %v\n", err)
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(stderr, `See "bucketmill help" and "bucketmill COMMAND --help".`)
	}
	return exitCode(err)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "bucketmill",
		Short: "MapReduce straight on object storage",
		Long: `Bucketmill runs MapReduce jobs on files and on S3-compatible object stores.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.`,
		Version:       version,
		SilenceErrors: true, // run prints them
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q%s", args[0], suggestions(cmd, args[0]))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2 // letters
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRunCommand(), newGenerateCommand(), newProgramsCommand(), newInspectCommand(), newProbeCommand(),
		newDevCommand(), newControllerCommand(), newExecutorCommand(), newHealthCommand(), newWatchCommand())
	root.AddCommand(newSubmitCommand(), newStatusCommand(), newListCommand(), newTasksCommand(), newExecutorsCommand(),
		newEventsCommand(), newLogsCommand(), newResultsCommand(), newCancelCommand(), newRetryCommand(),
		newPutCommand(), newGetCommand(), newLsCommand())
	return root
}

func suggestions(cmd *cobra.Command, name string) string {
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}

// exactArgs is cobra.ExactArgs as a usage error that says what is wanted.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("want %s, got %d arguments", what, len(args))}
		}
		return nil
	}
}
