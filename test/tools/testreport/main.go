// Command testreport runs "go test -json" and prints what people want to see: a line for each
// package, the progress, and the output of failed tests, or with -v of all tests.
//
//	testreport [-v] [-repeat] -- go test [FLAGS] PACKAGES
//
// It exits with 1 if a test failed or was skipped, or if no test ran: a skipped test says nothing,
// and looks like a test that passed.
//
// With -repeat each failed test that is marked as timing-dependent runs a second time, alone, and
// its second result counts. A test marks itself by t.Attr("timing", REASON) if a busy machine can
// make it fail. No other test is repeated.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/term"
)

func main() {
	verbose := flag.Bool("v", false, "print the output of all tests, not only of failed and skipped ones")
	repeat := flag.Bool("repeat", false, "repeat failed tests that are marked as timing-dependent")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	interval := 30 * time.Second
	if term.IsTerminal(int(os.Stdout.Fd())) {
		interval = 10 * time.Second
	}
	r := newReport(os.Stdout, *verbose, interval)
	err := r.run(ctx, flag.Args())
	if *repeat {
		for _, id := range r.repeatable() {
			if err := r.again(ctx, flag.Args(), id); err != nil {
				fail(err)
			}
		}
	}
	if verdict := r.verdict(); verdict != nil {
		fail(verdict)
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "testreport:", err)
	os.Exit(1)
}

// run executes a "go test" command and reads its events. It returns no error for failed tests: the
// verdict counts them.
func (r *report) run(ctx context.Context, args []string) error {
	if len(args) < 2 || args[1] != "test" {
		return fmt.Errorf("want a command such as: go test -race ./..., got %q", args)
	}
	args = slices.Insert(slices.Clone(args), 2, "-json")
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run tests: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run tests: %w", err)
	}
	if err := r.read(out); err != nil {
		_, _ = io.Copy(io.Discard, out) // otherwise the command would block
		_ = cmd.Wait()
		return err
	}
	if err := cmd.Wait(); err != nil && r.failed == 0 {
		return fmt.Errorf("run tests: %w", err)
	}
	return nil
}
