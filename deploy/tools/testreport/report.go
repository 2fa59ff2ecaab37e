package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// An event is a line of "go test -json"; see "go doc test2json".
type event struct {
	Action  string
	Package string
	Test    string // empty for what the package itself says
	Output  string
}

type testID struct{ pkg, test string }

// A report counts and prints tests as they end. Subtests count as tests.
type report struct {
	out     io.Writer
	verbose bool

	passed, failed, skipped int
	output                  map[testID][]string // of tests that run now
	skips                   []testID
}

// read takes events until the stream ends.
func (r *report) read(in io.Reader) error {
	for lines := json.NewDecoder(in); ; {
		var e event
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read test events: %w", err)
		}
		if err := r.take(e); err != nil {
			return err
		}
	}
}

func (r *report) take(e event) error {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "output", "build-output":
		if e.Test != "" && !r.verbose {
			r.output[id] = append(r.output[id], e.Output)
			return nil
		}
		return r.print(e.Output)
	case "pass":
		if e.Test != "" {
			r.passed++
		}
	case "fail":
		// A package fails with a test of its own, or without any: it did not build, or exited early.
		r.failed++
		return r.flush(id)
	case "skip":
		if e.Test == "" {
			return nil // a package without test files
		}
		r.skipped++
		r.skips = append(r.skips, id)
		return r.flush(id)
	default:
		return nil
	}
	delete(r.output, id)
	return nil
}

// flush prints what a test said.
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

// verdict prints the totals and what was cut off, and fails unless every test passed.
func (r *report) verdict() error {
	for id, lines := range r.output { // a test that runs when its process dies has no end
		if err := r.print(lines...); err != nil {
			return err
		}
		delete(r.output, id)
	}
	for _, id := range r.skips {
		if _, err := fmt.Fprintf(r.out, "SKIPPED %s %s\n", id.pkg, id.test); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(r.out, "tests: %d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped); err != nil {
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
