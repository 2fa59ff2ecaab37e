// Bench compares Bucketmill with its rivals: programs that people would write or run instead.
//
// Each case generates its data (once: the data is kept) and computes the right answer with a simple
// program. Then it runs all contenders in turn, A B C A B C …, so that noise on the machine affects
// all of them. Every output of every run is checked. A wrong output fails the case, and so the
// whole command. The figures are medians; a ratio is the median of the ratios of the rounds.
//
//	measure.go   runs a process: wall time, CPU seconds (rusage), peak memory
//	proc.go      measures processes that keep running, from /proc
//	servers.go   starts Redis and MinIO; cluster.go starts Bucketmill's services on them
//	oracle.go    computes the right answers and checks outputs
//	race.go      runs the rounds; table.go prints the results
//	case….go     the cases
//	baseline     rivals written by hand, in Go
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
	size     float64  // of the data, relative to the full size of a case
	runs     int      // that are measured; a warm-up run precedes them
	data     string   // folder
	markdown bool
	peers    []peer
	rivals   *regexp.Regexp // matches their names; nil for all
}

// namedSizes are the values of --size that are not numbers.
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
	fs.IntVar(&o.runs, "runs", 5, "measured runs of each contender, after a warm-up run")
	fs.StringVar(&o.data, "data", filepath.Join(os.TempDir(), "bucketmill-bench"), "`folder` for generated data, which is kept, and for the output of runs")
	fs.BoolVar(&o.markdown, "markdown", false, "print Markdown tables")
	fs.Func("peer", "another contender of wordcount, `NAME=COMMAND`: it reads the text file {input} and writes lines of a word and a count to {output}; repeatable", func(s string) error {
		p, err := parsePeer(s)
		o.peers = append(o.peers, p)
		return err
	})
	fs.Func("rivals", "run only Bucketmill and the rivals whose names match the regular `expression`", func(s string) (err error) {
		o.rivals, err = regexp.Compile(s)
		return err
	})
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 || o.runs < 1 {
		return o, fmt.Errorf("give only flags, and at least 1 run, not %q and %d", fs.Args(), o.runs)
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
		return 0, fmt.Errorf("%q is not a valid size: use full, small, tiny or a positive number", s)
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

// errFailed says that a case failed; the table shows its error.
var errFailed = errors.New("a case failed: see above")

// run is the command, with its arguments and output streams.
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
		rows, err := b.runCase(ctx, c)
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
