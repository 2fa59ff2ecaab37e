package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/job/yamltext"
)

// version is stamped by the build (-X main.version=…).
var version = "devel"

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out, messages := newStream("standard output", stdout), newStream("standard error", stderr)
	messages.outlive = true
	root := newRootCommand() //nolint:contextcheck // commands get theirs from ExecuteContextC
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(messages)
	checkTopics(root) // cobra's commands keep the output that is set now
	cmd, err := root.ExecuteContextC(ctx)
	if fault := out.end(); err == nil {
		err = fault
	}
	printError(messages, cmd, err)
	_ = messages.end() // there is nowhere to report that standard error failed
	return exitCode(err)
}

// printError prints the error of a command, and where to find help.
func printError(w io.Writer, cmd *cobra.Command, err error) {
	if errors.Is(err, errReaderLeft) {
		return
	}
	for _, err := range unreported(err) {
		fmt.Fprintf(w, "bucketmill: %v\n", err)
	}
	_, usage := errors.AsType[usageError](err)
	switch {
	case !usage:
	case cmd.HasParent():
		fmt.Fprintf(w, "See \"%s --help\".\n", cmd.CommandPath())
	default:
		fmt.Fprintln(w, `See "bucketmill help".`)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "bucketmill",
		Short: "MapReduce on object storage",
		Long: `Bucketmill runs MapReduce jobs on files and on S3-compatible object stores.

Environment variables that begin with BUCKETMILL_ are settings. An unknown one is an error, except those that
Kubernetes sets for Services (BUCKETMILL_…_SERVICE_HOST, …_PORT_8080_TCP_ADDR and so on).

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 141 the reader of the output left (a pipe to head).`,
		Version:       version,
		SilenceErrors: true, // run prints errors
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q%s", args[0], suggestions(cmd, args[0]))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
				return nil // a shell that completes shows no errors
			}
			return checkEnvironment(cmd.Root(), os.Environ())
		},
	}
	root.SuggestionsMinimumDistance = 2 // letters
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{flagError(cmd, err)} })
	root.AddCommand(newRunCommand(), newGenerateCommand(), newProgramsCommand(), newInspectCommand(), newProbeCommand(),
		newDevCommand(), newControllerCommand(), newExecutorCommand(), newHealthCommand(), newWatchCommand(), newVersionCommand(), newTokenCommand())
	root.AddCommand(newSubmitCommand(), newStatusCommand(), newListCommand(), newTasksCommand(), newExecutorsCommand(),
		newEventsCommand(), newLogsCommand(), newResultsCommand(), newCancelCommand(), newRetryCommand(), newDeleteCommand(),
		newPutCommand(), newGetCommand(), newLsCommand(), newRmCommand(), newMbCommand())
	return root
}

// checkTopics makes cobra's own commands refuse unknown arguments, which they would answer with
// help.
func checkTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.SuggestionsMinimumDistance = root.SuggestionsMinimumDistance
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return usageError{fmt.Errorf("there is no completion for %q: use bash, zsh, fish or powershell%s", args[0], suggestions(cmd, args[0]))}
				}
				return nil
			}
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				topic, rest, err := cmd.Root().Find(args)
				if len(args) > 0 && (err != nil || topic == cmd.Root() || len(rest) > 0) {
					return usageError{fmt.Errorf("there is no command %q%s", strings.Join(args, " "), suggestions(cmd.Root(), args[0]))}
				}
				return nil
			}
		}
	}
}

func suggestions(cmd *cobra.Command, name string) string {
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		if nearest := yamltext.Nearest(name, near); nearest != "" {
			near = []string{nearest}
		}
		return ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}

// exactArgs is cobra.ExactArgs with a usage error that says what the command takes.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s takes %s; it got %s", cmd.Name(), what, plural(len(args), "argument"))}
		}
		return nil
	}
}
