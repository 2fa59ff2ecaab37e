package objstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Report says what a store can do, as far as the contract of [Bucket] asks for it.
type Report struct {
	URL   string       // of the bucket
	Found []Capability // in the order in which it was found out
}

// Capability is one finding.
type Capability struct {
	Name    string
	OK      bool
	Detail  string // what was tried, or what went wrong
	Needed  bool   // jobs can't run correctly without it
	Without string // what follows where it is lacking and not needed
}

// Err names the needed capabilities that the store lacks. It wraps [ErrNotSupported].
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

// String is a line for the store and one for each capability.
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

// Probe finds out what the store behind b can do, by small objects under a new folder below
// prefix, which it removes again. Whatever the store answers to one check, the others are made, too. Its
// error is that it could not begin, the bucket being missing, out of reach or closed to us, that ctx
// ended, or that it could not clean up; the report has what was found until then.
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

// check looks for one capability. Run returns what it tried, or how the store fell short.
type check struct {
	name    string
	without string // what follows where it is lacking; empty: jobs can't do without
	run     func(context.Context) (detail string, err error)
}

func (p *probe) checks() []check {
	return []check{
		{"read after write", "", p.readAfterWrite}, // what was written can be read at once, by Get and Stat
		{"overwrite", "", p.overwrite},             // a second Put replaces the first
		{"ranges", "", p.ranges},                   // Get of the middle, at and past the end, and of an empty object
		{"versions", "so an input that changes during a job is not noticed", p.versions},
		{"hidden uploads", "", p.hiddenUpload}, // a sealed upload is invisible, and whole once it is completed
		{"empty uploads", "", p.emptyUpload},   // an upload may have no bytes, as the part of a reducer without records
		{"complete twice", "", p.completeTwice},
		{"late completions", "", p.lateCompletions}, // an upload that is gone can't be completed, whatever has its key
		{"abort", "", p.abort},                      // an aborted upload can't be completed, a completed one not aborted
		{"own objects", "so parts are read again when they are published, and those of a job that is cancelled then may stay", p.ownObjects},
		{"listing", "", p.listing}, // List yields all keys of a prefix, each once, those of a folder together
		{"list order", "worked around", p.listOrder},
		{"conditional puts", "worked around", p.conditionalPuts}, // the commit in Redis is fenced
	}
}

// begin writes an object, since a store that takes none can't be probed.
func (p *probe) begin(ctx context.Context) error {
	_, err := p.bucket.Put(ctx, p.key("first"), nil)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, errors.Is(err, ErrDenied):
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("there is no bucket %s: make it first: %w", p.bucket.URL(), err)
	default:
		err = errors.Join(err, p.clean(ctx)) // it may have come through
	}
	return fmt.Errorf("probe: %w", err)
}

// cleanTimeout is how long the removal of a probe's objects may take.
const cleanTimeout = time.Minute

// clean removes everything, also after ctx has ended.
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
