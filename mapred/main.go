package mapred

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Main runs job as an executor's program, on standard input and output, and ends the process: with
// status 0 if all went well. A main function calls nothing else.
//
// While it runs, os.Stdout is standard error, so that printing does no harm.
func Main(job Job) {
	protocol := os.Stdout
	os.Stdout = os.Stderr
	err := Serve(context.Background(), job, os.Stdin, protocol, os.Stderr)
	if err == nil {
		os.Exit(0)
	}
	if errors.Is(err, errNoHost) {
		fmt.Fprintln(os.Stderr, "this is a Bucketmill program: bucketmill run", os.Args[0], "--input … --output …")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// errNoHost says that nobody speaks the protocol on the other side.
var errNoHost = errors.New("no executor on standard input")

// Serve is Main without the process, for tests of the protocol: it speaks the program's side of it
// on in and out, and writes the lines of Status to log. Tests of a job use mapredtest.
//
// The error, if any, was sent to the executor where that was possible. After an error a read from
// in may still be under way.
func Serve(ctx context.Context, job Job, in io.Reader, out, log io.Writer) error {
	return newGuest(job, in, out).serve(ctx, log)
}
