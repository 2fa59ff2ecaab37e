package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An event is a line of "go test -json"; see "go doc test2json".
type event struct {
	Action     string
	Package    string
	Test       string // empty for an event of the package itself
	Output     string
	Elapsed    float64 // seconds
	Key, Value string  // of an attribute
}

type testID struct{ pkg, test string }

// top returns the top-level test that contains the subtest id.
func (id testID) top() testID {
	id.test, _, _ = strings.Cut(id.test, "/")
	return id
}

// timing is the attribute by which a test marks itself as timing-dependent.
const timing = "timing"

// A report counts and prints tests as they end. Subtests count as tests.
type report struct {
	out      io.Writer
	verbose  bool
	interval time.Duration // between two lines of progress
	now      func() time.Time

	begun, told             time.Time
	passed, failed, skipped int
	output                  map[testID][]string  // of running tests
	open                    map[testID]bool      // running tests
	running                 map[string]time.Time // running packages, with their start
	orderly                 map[string]bool      // packages that ran all their tests although some failed
	raced                   map[string]bool      // packages with a data race
	skips                   []testID
	failures                map[testID]int    // top-level tests, with their share of the failed count
	broken                  map[string]int    // failed packages, with their share of the failed count
	marked                  map[testID]string // timing-dependent top-level tests, with the reason
	repeated                []string          // the repeated tests, with their results
}

func newReport(out io.Writer, verbose bool, interval time.Duration) *report {
	return &report{
		out: out, verbose: verbose, interval: interval, now: time.Now,
		output: map[testID][]string{}, open: map[testID]bool{}, running: map[string]time.Time{}, orderly: map[string]bool{}, raced: map[string]bool{},
		failures: map[testID]int{}, broken: map[string]int{}, marked: map[testID]string{},
	}
}

// read reads events until the stream ends.
func (r *report) read(in io.Reader) error {
	if r.begun.IsZero() {
		r.begun = r.now()
		r.told = r.begun
	}
	for lines := json.NewDecoder(in); ; {
		var e event
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read test events: %w", err)
		}
		if err := errors.Join(r.take(e), r.progress()); err != nil {
			return err
		}
	}
}

func (r *report) take(e event) error {
	id := testID{e.Package, e.Test}
	if e.Test == "" {
		return r.takePackage(e)
	}
	switch e.Action {
	case "run":
		r.open[id] = true
		return nil
	case "attr":
		if e.Key == timing {
			r.marked[id.top()] = e.Value
		}
		return nil
	case "output":
		r.look(e)
		if r.verbose {
			return r.print(e.Output)
		}
		r.output[id] = append(r.output[id], e.Output)
		return nil
	case "pass":
		r.passed++
		delete(r.open, id)
		delete(r.output, id)
		return nil
	case "fail":
		r.failed++
		r.failures[id.top()]++
	case "skip":
		r.skipped++
		r.skips = append(r.skips, id)
	default:
		return nil
	}
	delete(r.open, id)
	return r.flush(id)
}

// look notes a data race, which is a bug whatever the timing was.
func (r *report) look(e event) {
	if strings.Contains(e.Output, "WARNING: DATA RACE") || strings.Contains(e.Output, "race detected during execution of test") {
		r.raced[e.Package] = true
	}
}

// takePackage handles an event of a package itself.
func (r *report) takePackage(e event) error {
	switch e.Action {
	case "start":
		r.running[e.Package] = r.now()
	case "output", "build-output":
		if e.Output == "FAIL\n" {
			r.orderly[e.Package] = true // a process that panics does not print this
		}
		r.look(e)
		return r.print(e.Output)
	case "fail":
		// A package fails because a test failed, or without a failed test: it did not build, or
		// exited early.
		r.failed++
		r.broken[e.Package]++
		delete(r.running, e.Package)
	case "pass", "skip":
		delete(r.running, e.Package)
	}
	return nil
}

// progress prints a line of progress if the interval has passed.
func (r *report) progress() error {
	now := r.now()
	if now.Sub(r.told) < r.interval {
		return nil
	}
	r.told = now
	var names []string
	for pkg, since := range r.running {
		names = append(names, fmt.Sprintf("%s (%v)", path.Base(pkg), now.Sub(since).Round(time.Second)))
	}
	slices.Sort(names)
	return r.print(fmt.Sprintf("... %v: %d passed, %d failed; running: %s\n",
		now.Sub(r.begun).Round(time.Second), r.passed, r.failed, strings.Join(names, ", ")))
}

// repeatable returns the failed tests that may be repeated: they are marked, and all other tests of
// their package have ended.
func (r *report) repeatable() (ids []testID) {
	for id := range r.failures {
		if r.marked[id] != "" && r.orderly[id.pkg] && !r.raced[id.pkg] && !r.torn(id.pkg) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b testID) int { return strings.Compare(a.pkg+a.test, b.pkg+b.test) })
	return ids
}

// torn reports whether a test of a package never ended because its process died.
func (r *report) torn(pkg string) bool {
	for id := range r.open {
		if id.pkg == pkg {
			return true
		}
	}
	return false
}

// again runs a failed test alone, and replaces its first result by the second.
func (r *report) again(ctx context.Context, args []string, id testID) error {
	if err := r.print(fmt.Sprintf("\n== %s %s failed and depends on time (%s): once more, by itself\n", id.pkg, id.test, r.marked[id])); err != nil {
		return err
	}
	second := newReport(r.out, r.verbose, r.interval)
	if err := second.run(ctx, only(args, id)); err != nil {
		return err
	}
	how := "failed again"
	if second.failed == 0 && second.skipped == 0 && second.passed > 0 {
		how = "passed"
		r.failed -= r.failures[id]
		r.passed++
		delete(r.failures, id)
		if !r.failsIn(id.pkg) { // the package failed only because of this test
			r.failed -= r.broken[id.pkg]
			delete(r.broken, id.pkg)
		}
	}
	r.repeated = append(r.repeated, fmt.Sprintf("REPEATED %s %s: %s (%s)\n", id.pkg, id.test, how, r.marked[id]))
	return nil
}

// failsIn reports whether a package has a failed test.
func (r *report) failsIn(pkg string) bool {
	for id := range r.failures {
		if id.pkg == pkg {
			return true
		}
	}
	return false
}

// only changes a "go test" command so that it runs one test of one package.
func only(args []string, id testID) []string {
	first := slices.IndexFunc(args, isPackage)
	if first < 0 {
		first = len(args)
	}
	rest := slices.DeleteFunc(slices.Clone(args[first:]), isPackage)
	return slices.Concat(args[:first], []string{id.pkg}, rest, []string{"-test.run=^" + regexp.QuoteMeta(id.test) + "$"})
}

// isPackage reports whether an argument names packages, by a path or an import path.
func isPackage(arg string) bool { return strings.Contains(arg, "/") && !strings.HasPrefix(arg, "-") }

// flush prints the output of a test.
func (r *report) flush(id testID) error {
	lines := r.output[id]
	delete(r.output, id)
	return r.print(lines...)
}

func (r *report) print(lines ...string) error {
	for _, line := range lines {
		if _, err := io.WriteString(r.out, line); err != nil {
			return err
		}
	}
	return nil
}

// verdict prints the totals and the unfinished tests, and fails unless every test passed.
func (r *report) verdict() error {
	for id, lines := range r.output { // a test has no end if its process dies
		if err := r.print(lines...); err != nil {
			return err
		}
		delete(r.output, id)
	}
	for _, id := range r.skips {
		if err := r.print(fmt.Sprintf("SKIPPED %s %s\n", id.pkg, id.test)); err != nil {
			return err
		}
	}
	if err := r.print(r.repeated...); err != nil {
		return err
	}
	if err := r.print(fmt.Sprintf("tests: %d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)); err != nil {
		return err
	}
	switch {
	case r.failed > 0:
		return errors.New("tests failed")
	case r.skipped > 0:
		return errors.New("tests were skipped, which counts as failed")
	case r.passed == 0:
		return errors.New("no tests ran")
	}
	return nil
}
