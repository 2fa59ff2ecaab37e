// Bench measures Bucketmill beside its rivals: programs that people would write or run instead.
//
// Each case generates its data (once: it is kept), finds out the right answer by a program of its
// own, and then runs all contenders in turn, A B C A B C …, so that a noisy machine is noisy to all of
// them. Every output of every run is checked. A wrong one fails the case, and the whole run in the end.
// The figures are medians; a ratio is the median of the ratios within the rounds.
//
//	measure.go   runs a process: wall, CPU seconds (rusage), peak memory
//	proc.go      the same of processes that go on, from /proc
//	servers.go   Redis and MinIO; cluster.go: our services on them
//	oracle.go    the right answers, and the checks
//	race.go      the rounds; table.go: what is printed
//	case….go     the cases
//	baseline     the rivals written by hand, in Go
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	cases    []string // names
	size     float64  // of the data, to what the cases call full
	runs     int      // that count; one more goes before them to warm up
	data     string   // folder
	markdown bool
	peers    []peer
	rivals   *regexp.Regexp // by name; nil: all
}

// namedSizes are the values of --size that are no numbers.
var namedSizes = map[string]float64{"full": 1, "small": 0.02, "tiny": 0.002}

func parseOptions(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprintln(stderr, "usage: bench [flags]\n\nflags:")
		fs.PrintDefaults()
		fmt.Fprintln(stderr, "\ncases:")
		for _, c := range cases {
			fmt.Fprintf(stderr, "  %-16s %s\n", c.name, c.about)
		}
	}
	fs.Func("case", "comma-separated `names` of cases (default: all)", func(s string) error {
		o.cases = strings.Split(s, ",")
		return checkNames(o.cases)
	})
	o.size = 1
	fs.Func("size", "`scale` of the data: full (1), small (0.02), tiny (0.002), or a number", func(s string) (err error) {
		o.size, err = parseScale(s)
		return err
	})
	fs.IntVar(&o.runs, "runs", 5, "runs of each contender that count; one more warms up")
	fs.StringVar(&o.data, "data", filepath.Join(os.TempDir(), "bucketmill-bench"), "`folder` for generated data, which is kept, and for what runs write")
	fs.BoolVar(&o.markdown, "markdown", false, "print Markdown tables")
	fs.Func("peer", "another contender of wordcount, `NAME=COMMAND`: {input} in it is a text file, lines of a word and a count go to {output}; repeatable", func(s string) error {
		p, err := parsePeer(s)
		o.peers = append(o.peers, p)
		return err
	})
	fs.Func("rivals", "beside ours, run only contenders whose names match the regular `expression`", func(s string) (err error) {
		o.rivals, err = regexp.Compile(s)
		return err
	})
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 || o.runs < 1 {
		return o, fmt.Errorf("want flags only, and at least 1 run, got %q and %d", fs.Args(), o.runs)
	}
	o.data, err = filepath.Abs(o.data)
	return o, err
}

func parseScale(s string) (float64, error) {
	if scale, ok := namedSizes[s]; ok {
		return scale, nil
	}
	scale, err := strconv.ParseFloat(s, 64)
	if err != nil || !(scale > 0) {
		return 0, fmt.Errorf("size %q: want full, small, tiny or a positive number", s)
	}
	return scale, nil
}

func checkNames(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(cases, func(c benchmark) bool { return c.name == name }) {
			return fmt.Errorf("there is no case %q", name)
		}
	}
	return nil
}

// errFailed says that a case has failed, which the table shows.
var errFailed = errors.New("a case failed: see above")

// run does what the command line says.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	t := table{out: stdout, markdown: o.markdown}
	if err := t.machine(b); err != nil {
		return err
	}
	failed := false
	for _, c := range cases {
		if len(o.cases) > 0 && !slices.Contains(o.cases, c.name) {
			continue
		}
		rows, err := b.play(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = failed || err != nil
		if err := t.print(c, rows, err); err != nil {
			return err
		}
	}
	if failed {
		return errFailed
	}
	return nil
}
