package objstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Report says which parts of the contract of [Bucket] a store keeps.
type Report struct {
	URL   string       // of the bucket
	Found []Capability // in the order of the checks
}

// Capability is the result of one check.
type Capability struct {
	Name    string
	OK      bool
	Detail  string // what was tried, or what went wrong
	Needed  bool   // jobs can't run correctly without it
	Without string // the consequence of lacking it; empty if Needed
}

// Err names the needed capabilities that the store lacks, and wraps [ErrNotSupported]. It is nil if
// the store lacks none.
func (r Report) Err() error {
	var lacks []string
	for _, c := range r.Found {
		if c.Needed && !c.OK {
			lacks = append(lacks, c.Name+" ("+c.Detail+")")
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", r.URL, ErrNotSupported, strings.Join(lacks, "; "))
}

// String returns a line for the store and one for each capability.
func (r Report) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s\n", r.URL)
	for _, c := range r.Found {
		verdict := "ok"
		switch {
		case !c.OK && c.Needed:
			verdict = "LACKING"
		case !c.OK:
			verdict = "lacking, " + c.Without
		}
		fmt.Fprintf(&s, "  %-18s %s: %s\n", c.Name, verdict, c.Detail)
	}
	return s.String()
}

// Probe finds out what the store behind b can do. It writes small objects to a new folder below
// prefix and removes them. If one check fails, it still makes the others. Probe returns an error if
// it can't begin (the bucket is missing, unreachable or forbidden), if ctx ends, or if it can't
// clean up; the report has the results up to then.
func Probe(ctx context.Context, b Bucket, prefix string) (report Report, err error) {
	p := &probe{bucket: b, folder: strings.TrimPrefix(strings.TrimSuffix(prefix, "/")+"/probe-"+rand.Text()+"/", "/")}
	report.URL = b.URL()
	if err := p.begin(ctx); err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, p.clean(ctx)) }()
	for _, check := range p.checks() {
		detail, err := check.run(ctx)
		if ctx.Err() != nil {
			return report, fmt.Errorf("probe %s: %w", check.name, ctx.Err())
		}
		if err != nil {
			detail = err.Error()
		}
		report.Found = append(report.Found, Capability{
			Name: check.name, OK: err == nil, Detail: detail, Needed: check.without == "", Without: check.without,
		})
	}
	return report, nil
}

// check tests for one capability. Its run returns what it tried, or how the store failed.
type check struct {
	name    string
	without string // the consequence of lacking it; empty if jobs need it
	run     func(context.Context) (detail string, err error)
}

func (p *probe) checks() []check {
	return []check{
		{"read after write", "", p.readAfterWrite}, // Get and Stat see at once what was written
		{"overwrite", "", p.overwrite},             // a second Put replaces the first
		{"ranges", "", p.ranges},                   // Get in the middle, at and past the end, and of an empty object
		{"versions", "so an input that changes during a job is not noticed", p.versions},
		{"hidden uploads", "", p.hiddenUpload}, // a sealed upload is invisible, and whole once it is completed
		{"empty uploads", "", p.emptyUpload},   // an upload may have no bytes, like the part of a reducer without records
		{"complete twice", "", p.completeTwice},
		{"late completions", "", p.lateCompletions}, // an upload that is gone can't be completed, whatever object has its key
		{"abort", "", p.abort},                      // an aborted upload can't be completed, a completed one can't be aborted
		{"own objects", "so parts are read again when they are published, and parts of a job cancelled at that moment may stay", p.ownObjects},
		{"listing", "", p.listing}, // List yields every key of a prefix once, and the keys of a folder together
		{"list order", "worked around", p.listOrder},
		{"conditional puts", "worked around", p.conditionalPuts}, // the commit in Redis is fenced
	}
}

// begin writes an object: a store that accepts none can't be probed.
func (p *probe) begin(ctx context.Context) error {
	_, err := p.bucket.Put(ctx, p.key("first"), nil)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, errors.Is(err, ErrDenied):
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("there is no bucket %s: make it first: %w", p.bucket.URL(), err)
	default:
		err = errors.Join(err, p.clean(ctx)) // the object may have been written
	}
	return fmt.Errorf("probe: %w", err)
}

// cleanTimeout limits the removal of a probe's objects.
const cleanTimeout = time.Minute

// clean removes everything, even if ctx has ended.
func (p *probe) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	var errs []error
	for _, u := range p.uploads {
		errs = append(errs, p.bucket.Abort(ctx, u))
	}
	errs = append(errs, p.bucket.Delete(ctx, p.keys...))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean up after the probe: %w", err)
	}
	return nil
}
