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
	URL string // of the bucket

	ReadAfterWrite  Capability // what was written can be read at once, by Get and Stat
	Overwrite       Capability // a second Put replaces the first
	Ranges          Capability // Get of the middle, at and past the end, and of an empty object
	HiddenUpload    Capability // a sealed upload is invisible, and whole once it is completed
	CompleteTwice   Capability // completing again succeeds
	Abort           Capability // an aborted upload can't be completed, a completed one not aborted
	ListOrder       Capability // List yields all keys of a prefix, in the order of their bytes
	ConditionalPuts Capability // of racing PutIfAbsent calls exactly one wins
}

// Capability is one finding.
type Capability struct {
	Name   string
	OK     bool
	Detail string // what was tried, or what went wrong
	Needed bool   // jobs can't run correctly without it
}

// All returns the findings in the order in which they were made.
func (r Report) All() []Capability {
	return []Capability{
		r.ReadAfterWrite, r.Overwrite, r.Ranges, r.HiddenUpload, r.CompleteTwice, r.Abort, r.ListOrder, r.ConditionalPuts,
	}
}

// Err names the needed capabilities that the store lacks. It wraps [ErrNotSupported].
func (r Report) Err() error {
	var lacks []string
	for _, c := range r.All() {
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
	for _, c := range r.All() {
		verdict := "ok"
		switch {
		case !c.OK && c.Needed:
			verdict = "LACKING"
		case !c.OK:
			verdict = "lacking, worked around"
		}
		fmt.Fprintf(&s, "  %-18s %s: %s\n", c.Name, verdict, c.Detail)
	}
	return s.String()
}

// Probe finds out what the store behind b can do, by small objects under a new folder below
// prefix, which it removes again. Its error is that it could not find out, the store being out
// of reach or closed to us, or that it could not clean up.
func Probe(ctx context.Context, b Bucket, prefix string) (report Report, err error) {
	p := &probe{bucket: b, folder: strings.TrimPrefix(strings.TrimSuffix(prefix, "/")+"/probe-"+rand.Text()+"/", "/")}
	defer func() { err = errors.Join(err, p.clean(ctx)) }()
	report.URL = b.URL()
	for _, check := range []struct {
		into   *Capability
		name   string
		needed bool
		run    func(context.Context) (detail string, err error)
	}{
		{&report.ReadAfterWrite, "read after write", true, p.readAfterWrite},
		{&report.Overwrite, "overwrite", true, p.overwrite},
		{&report.Ranges, "ranges", true, p.ranges},
		{&report.HiddenUpload, "hidden uploads", true, p.hiddenUpload},
		{&report.CompleteTwice, "complete twice", true, p.completeTwice},
		{&report.Abort, "abort", true, p.abort},
		{&report.ListOrder, "list order", true, p.listOrder},
		{&report.ConditionalPuts, "conditional puts", false, p.conditionalPuts}, // the commit in Redis is fenced
	} {
		detail, err := check.run(ctx)
		if err != nil && (ctx.Err() != nil || outOfReach(err)) {
			return report, fmt.Errorf("probe %s: %w", check.name, err)
		}
		if err != nil {
			detail = err.Error()
		}
		*check.into = Capability{Name: check.name, OK: err == nil, Detail: detail, Needed: check.needed}
	}
	return report, nil
}

// outOfReach tells errors that say nothing about what the store can do.
func outOfReach(err error) bool {
	return errors.Is(err, ErrDenied) || errors.Is(err, ErrThrottled) || errors.Is(err, ErrUnavailable)
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
