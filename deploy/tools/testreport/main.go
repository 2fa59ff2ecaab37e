// Command testreport reads what "go test -json" writes and prints what people want of it: a
// line for each package and the output of tests that went wrong, or with -v of all tests.
//
// It exits with 1 when a test failed or was skipped, and when none ran: a test that is
// skipped where it can't run says nothing, and looks like one that passed.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	verbose := flag.Bool("v", false, "print all tests' output, not only that of failed and skipped ones")
	flag.Parse()
	r := report{out: os.Stdout, verbose: *verbose, output: map[testID][]string{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	if err := r.verdict(); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}
