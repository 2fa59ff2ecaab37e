package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/controller/api/client"
)

// submitFlags are the flags of "submit" that are not the job's.
type submitFlags struct {
	job               jobFlags
	wait              bool
	cancelOnInterrupt bool
	key               string
}

func newSubmitCommand() *cobra.Command {
	f := &submitFlags{}
	cmd := clientCommand(&cobra.Command{
		Use:   "submit [PROGRAM] --input … --output …",
		Short: "Submit a job to a server",
		Long: `Submit gives a job to a server, and prints its id. PROGRAM is a builtin, a Python file or an
executable, which is sent along, or the URL of such a file on the store. Program files of --mapper and
--reducer are sent along, too, unless they are URLs. Flags and job file are those
of "bucketmill run"; the server refuses paths of this machine, unless it is "bucketmill dev".

With --wait it shows how far the job is and ends as run does: with a summary, or with why it failed.
Ctrl-C then leaves the job running.

Exit codes: 0 submitted, or with --wait done, 1 failed, 2 wrong usage, 130 interrupted or cancelled.`,
		Example: `  bucketmill submit ./word_count.py -i 's3://inbox/books/*.txt' -o s3://outbox/wc --wait
  id=$(bucketmill submit wordcount -i s3://inbox/books/ -o s3://outbox/wc)`,
		Args: oneProgram,
	}, f.run)
	fs := cmd.Flags()
	f.job.register(fs)
	fs.BoolVarP(&f.wait, "wait", "w", false, "show how far the job is, until it has ended")
	fs.BoolVar(&f.cancelOnInterrupt, "cancel-on-interrupt", false, "with --wait: cancel the job on Ctrl-C")
	fs.StringVar(&f.key, "idempotency-key", "", "text that names the submission: the same key never makes a second job")
	return cmd
}

func (f *submitFlags) run(ctx context.Context, s *session, args []string) error {
	submission, err := f.submission(args)
	if err != nil {
		return err
	}
	outliveReader(s.out)
	submitted, err := s.Submit(ctx, submission)
	switch {
	case err != nil:
		return err
	case f.wait:
		fmt.Fprintf(s.err, "  submitted %s\n", submitted.ID)
		return s.attend(ctx, submitted.ID, f.cancelOnInterrupt)
	case s.json:
		return s.printJSON(submitted)
	}
	_, err = fmt.Fprintln(s.out, submitted.ID)
	return err
}

// submission puts together what is sent. A program on the store is the server's to look at.
func (f *submitFlags) submission(args []string) (client.Submission, error) {
	spec, err := f.job.assemble(args)
	if err != nil {
		return client.Submission{}, usageError{err}
	}
	submission := client.Submission{Spec: spec, Key: f.key}
	if !strings.Contains(spec.Program, "://") {
		submission.ProgramPath, err = detect(&submission.Spec)
	}
	return submission, err
}
