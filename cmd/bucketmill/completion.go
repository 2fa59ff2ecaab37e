package main

import (
	"context"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/formats"
)

// complete offers fixed values for a flag, as "VALUE" or "VALUE\tDESCRIPTION".
func complete(cmd *cobra.Command, flag string, values ...cobra.Completion) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the command has no such flag: a mistake in this program
	}
}

// completeJobFlags completes a program and the values of jobFlags.
func completeJobFlags(cmd *cobra.Command) {
	complete(cmd, "format", formatNames()...)
	complete(cmd, "compression", "auto", "none")
	complete(cmd, "sort-order", "partition", "total")
	for _, flag := range []string{"input", "output"} {
		if err := cmd.RegisterFlagCompletionFunc(flag, completeLocations); err != nil {
			panic(err) // as above
		}
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, b := range kinds.All().Programs(job.OriginName) {
			names = append(names, cobra.CompletionWithDesc(b.Name, b.Summary))
		}
		return names, cobra.ShellCompDirectiveDefault // the shell adds files
	}
}

// formatNames returns the names of the input formats. A name that ends with a colon needs a
// parameter.
func formatNames() []cobra.Completion {
	names := formats.Inputs.Names()
	for i, name := range names {
		if before, _, parameter := strings.Cut(name, ":"); parameter {
			names[i] = before + ":"
		}
	}
	return names
}

// completedLocations is the largest number of objects that a shell is offered.
const completedLocations = 200

// completeLocations completes an s3 URL from the store, one folder at a time. For other words the
// shell offers files.
func completeLocations(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const scheme = "s3://"
	if !strings.HasPrefix(begun, scheme) {
		if begun != "" && strings.HasPrefix(scheme, begun) {
			return []cobra.Completion{scheme}, cobra.ShellCompDirectiveNoSpace
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
	s, err := sessionOf(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
	defer cancel()
	bucket, prefix, inBucket := strings.Cut(strings.TrimPrefix(begun, scheme), "/")
	var found []cobra.Completion
	if !inBucket {
		buckets, err := s.Buckets(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, b := range buckets {
			if strings.HasPrefix(b.Name, bucket) {
				found = append(found, b.URL+"/")
			}
		}
		return found, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	last := ""
	for o, err := range atMost(10*completedLocations, s.List(ctx, bucket, prefix)) {
		if err != nil {
			break // offer what has arrived
		}
		location := scheme + bucket + "/" + o.Key
		if folder, _, deeper := strings.Cut(o.Key[len(prefix):], "/"); deeper {
			location = begun + folder + "/"
		}
		if location == last {
			continue
		}
		if last = location; len(found) == completedLocations {
			break
		}
		found = append(found, location)
	}
	return found, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// sessionOf returns a session for a command that is completed. A command without flags for a
// connection uses the environment.
func sessionOf(cmd *cobra.Command) (*session, error) {
	var c connection
	for name, value := range map[string]*string{"server": &c.server, "token": &c.token, "ca": &c.ca} {
		if f := cmd.Flag(name); f != nil {
			*value = f.Value.String()
		}
	}
	return c.open(cmd)
}

// completeTasks offers jobs, and then the tasks of one.
func completeTasks(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return completeJobs(cmd, args, begun)
	}
	s, err := sessionOf(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
	defer cancel()
	id, err := s.jobNamed(ctx, args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var found []cobra.Completion
	for task, err := range atMost(completedLocations, s.everyTask(ctx, id, "")) {
		if err != nil {
			break // offer what has arrived
		}
		found = append(found, cobra.CompletionWithDesc(task.ID, task.State))
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
