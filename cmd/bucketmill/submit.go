package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/executor/program"
)

// submitFlags are the flags of "submit" that are not the job's.
type submitFlags struct {
	job               jobFlags
	wait              bool
	cancelOnInterrupt bool
	noCheck           bool
	quiet             bool
	key               string
}

func newSubmitCommand() *cobra.Command {
	f := &submitFlags{}
	cmd := clientCommand(&cobra.Command{
		Use:   "submit [PROGRAM] --input … --output …",
		Short: "Submit a job to a server",
		Long: `Submit gives a job to a server, and prints its id. PROGRAM is a builtin, a Python file or an
executable, which is sent along, or the URL of such a file on the store. The modules that a Python file imports
from its own folder are sent along, too, and so are program files, unless they are URLs. Before that the
program is started for a moment on this machine, if it can be, to see what is wrong with it (--no-check leaves that out). Flags and job file are those
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
	fs.StringVar(&f.job.spec.Webhook, "webhook", "", "URL that the server tells how the job ended")
	completeJobFlags(cmd)
	fs.BoolVarP(&f.wait, "wait", "w", false, "show how far the job is, until it has ended")
	fs.BoolVar(&f.cancelOnInterrupt, "cancel-on-interrupt", false, "with --wait: cancel the job on Ctrl-C")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but the id, or with --wait nothing at all, and errors")
	fs.BoolVar(&f.noCheck, "no-check", false, "don't try on this machine first whether the program starts")
	fs.StringVar(&f.key, "idempotency-key", "", "text that names the submission: the same key never makes a second job")
	return cmd
}

func (f *submitFlags) run(ctx context.Context, s *session, args []string) error {
	submission, err := f.submission(ctx, s.err, args)
	if err != nil {
		return err
	}
	outliveReader(s.out)
	submitted, err := s.Submit(ctx, submission)
	switch {
	case err != nil:
		return err
	case f.wait:
		if !f.quiet {
			fmt.Fprintf(s.err, "  submitted %s\n", submitted.ID)
		}
		return s.attend(ctx, submitted.ID, attendance{cancelOnInterrupt: f.cancelOnInterrupt, quiet: f.quiet})
	case s.json:
		return s.printJSON(submitted)
	}
	_, err = fmt.Fprintln(s.out, submitted.ID)
	return err
}

// submission puts together what is sent. A program on the store is the server's to look at.
func (f *submitFlags) submission(ctx context.Context, out io.Writer, args []string) (client.Submission, error) {
	spec, err := f.job.assemble(args)
	if err != nil {
		return client.Submission{}, usageError{err}
	}
	submission := client.Submission{Spec: spec, Key: f.key}
	if strings.Contains(spec.Program, "://") {
		return submission, packFiles(ctx, program.Config{}, &submission.Spec, "", f.remarks(out))
	}
	if submission.ProgramPath, err = detect(&submission.Spec); err != nil {
		return submission, err
	}
	if err := packFiles(ctx, program.Config{}, &submission.Spec, submission.ProgramPath, f.remarks(out)); err != nil {
		return submission, err
	}
	if f.noCheck || submission.ProgramPath == "" {
		return submission, nil
	}
	return submission, tryHere(ctx, submission, out)
}

// remarks is where goes what is no error.
func (f *submitFlags) remarks(out io.Writer) io.Writer {
	if f.quiet {
		return io.Discard
	}
	return out
}

// readyHere is how long a program has to become ready on this machine before the job is submitted all the same.
const readyHere = 3 * time.Second

// tryHere returns what is wrong with a program on every machine. What may be wrong only here, where a package is not
// installed or the processor is another one, is said on out and left for the server to find.
func tryHere(ctx context.Context, submission client.Submission, out io.Writer) error {
	cfg := program.Config{Grace: readyHere}
	if program.Kind(submission.Spec.Kind) == program.Python {
		var err error
		if cfg, err = cfg.FindPython(ctx); err != nil {
			return ctx.Err() // there may be none
		}
	}
	err := checkProgram(ctx, cfg, submission.Spec, submission.ProgramPath)
	var user *program.UserError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &user) && user.Everywhere, ctx.Err() != nil:
		return explain(out, err)
	}
	_, err = fmt.Fprintf(out, "bucketmill: warning: on this machine the program does not start; the job is submitted all the same: %v\n", err)
	return err
}
