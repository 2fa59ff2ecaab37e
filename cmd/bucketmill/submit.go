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
	"github.com/bucketmill/bucketmill/executor/program/kinds"
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
		Long: `Submit sends a job to a server and prints its id. PROGRAM is a builtin, a Python file, an executable, or
the URL of such a file on the store. A local file is sent with the job, with the modules that a Python file
imports from its folder, and with program files that are not URLs. Before that, submit starts the program
briefly on this machine, if it can, to find mistakes (--no-check turns this off). Flags and job file are
those of "bucketmill run", but the server refuses paths of this machine, unless it is "bucketmill dev".

With --wait it shows the progress of the job and ends like run: with a summary, or with the reason of the
failure. Ctrl-C then leaves the job running.

Exit codes: 0 submitted, or with --wait done, 1 failed, 2 wrong usage, 130 interrupted or cancelled.`,
		Example: `  bucketmill submit ./word_count.py -i 's3://inbox/books/*.txt' -o s3://outbox/wc --wait
  id=$(bucketmill submit wordcount -i s3://inbox/books/ -o s3://outbox/wc)`,
		Args: oneProgram,
	}, f.run)
	fs := cmd.Flags()
	f.job.register(fs)
	fs.StringVar(&f.job.spec.Webhook, "webhook", "", "URL to which the server reports the end of the job")
	completeJobFlags(cmd)
	fs.BoolVarP(&f.wait, "wait", "w", false, "show the progress of the job until it has ended")
	fs.BoolVar(&f.cancelOnInterrupt, "cancel-on-interrupt", false, "with --wait: cancel the job on Ctrl-C")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print only the id and errors, or with --wait only errors")
	fs.BoolVar(&f.noCheck, "no-check", false, "don't start the program on this machine first to find mistakes")
	fs.StringVar(&f.key, "idempotency-key", "", "name of the submission: a repeated submission with the same key makes no second job")
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
		return s.attend(ctx, submitted.ID, attendOptions{cancelOnInterrupt: f.cancelOnInterrupt, quiet: f.quiet})
	case s.json:
		return s.printJSON(submitted)
	}
	_, err = fmt.Fprintln(s.out, submitted.ID)
	return err
}

// submission assembles what is sent. The server checks a program on the store.
func (f *submitFlags) submission(ctx context.Context, out io.Writer, args []string) (client.Submission, error) {
	spec, err := f.job.assemble(args)
	if err != nil {
		return client.Submission{}, usageError{err}
	}
	submission := client.Submission{Spec: spec, Key: f.key}
	if strings.Contains(spec.Program, "://") {
		return submission, packFiles(ctx, program.Config{}, &submission.Spec, "", f.remarks(out))
	}
	if submission.ProgramPath, err = detectKind(&submission.Spec); err != nil {
		return submission, err
	}
	if err := packFiles(ctx, program.Config{}, &submission.Spec, submission.ProgramPath, f.remarks(out)); err != nil {
		return submission, err
	}
	if f.noCheck || submission.ProgramPath == "" {
		return submission, nil
	}
	return submission, checkLocally(ctx, submission, out)
}

// remarks returns the writer for messages that are not errors.
func (f *submitFlags) remarks(out io.Writer) io.Writer {
	if f.quiet {
		return io.Discard
	}
	return out
}

// localCheckTimeout is how long a program may take to become ready on this machine. After that the
// job is submitted anyway.
const localCheckTimeout = 3 * time.Second

// checkLocally starts the program on this machine, and returns errors that it would have on every
// machine. Other errors may be those of this machine, which may lack a package or have another
// processor: checkLocally prints them to out, and the server finds out.
func checkLocally(ctx context.Context, submission client.Submission, out io.Writer) error {
	cfg := program.Config{Grace: localCheckTimeout}
	kind, err := kinds.All().Find(submission.Spec.Kind)
	if err != nil {
		return usageError{err}
	}
	if cfg, err = kind.Ready(ctx, cfg); err != nil {
		return ctx.Err() // this machine may have no interpreter
	}
	err = checkProgram(ctx, cfg, submission.Spec, submission.ProgramPath)
	if err == nil {
		return nil
	}
	if user, ok := errors.AsType[*program.UserError](err); ok && user.Everywhere || ctx.Err() != nil {
		return printUserError(out, err)
	}
	_, err = fmt.Fprintf(out, "bucketmill: warning: the program does not start on this machine; the job is submitted anyway: %v\n", err)
	return err
}
