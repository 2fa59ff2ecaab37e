package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// benchmark is a case.
type benchmark struct {
	name, about string
	// prepare makes the data and starts what is needed. The first contender is ours.
	prepare func(ctx context.Context, b *bench) ([]contender, error)
}

// cases are run in this order.
var cases = []benchmark{wordCountCase, serviceCase, pythonCase, streamingCase, sortCase, serviceSortCase, grepCase, emptyCase, smallCase}

// contender is one way to do the work.
type contender struct {
	name string
	// absent says why it can't take part; empty if it does.
	absent string
	// attempt does the work once, and checks what came of it outside of the time that it reports.
	attempt func(ctx context.Context) (result, error)
}

// result is what one attempt came to.
type result struct {
	usage
	figures []figure
	// samples, if any, are the times of many small pieces of work; the wall time is that of one.
	samples []time.Duration
}

// figure is anything else that was measured.
type figure struct {
	name  string
	value float64
	unit  string
}

// row is a contender with the results of its counted attempts.
type row struct {
	contender
	results []result
	err     error // what failed; it ends the case
}

// play prepares a case and runs its contenders in turn. The rows are those that it came to, also
// when it fails.
func (b *bench) play(ctx context.Context, c benchmark) (rows []row, err error) {
	defer func() { err = errors.Join(err, b.endCase()) }()
	fmt.Fprintf(b.log, "%s: preparing\n", c.name)
	contenders, err := c.prepare(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	for i, contender := range contenders {
		if i > 0 && b.rivals != nil && !b.rivals.MatchString(contender.name) {
			continue
		}
		rows = append(rows, row{contender: contender})
	}
	for round := range b.runs + 1 {
		fmt.Fprintf(b.log, "%s: round %d of %d\n", c.name, round, b.runs)
		for i := range rows {
			if err := b.attempt(ctx, &rows[i], round > 0); err != nil {
				return rows, err
			}
		}
	}
	return rows, nil
}

func (b *bench) attempt(ctx context.Context, r *row, counts bool) error {
	if r.absent != "" {
		return nil
	}
	result, err := r.attempt(ctx)
	if err != nil {
		r.err = err
		return fmt.Errorf("%s: %w", r.name, err)
	}
	if counts {
		r.results = append(r.results, result)
	}
	return nil
}

// median of some numbers; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Clone(values)
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// medianOf is the median of something about the results.
func (r *row) medianOf(what func(result) float64) float64 {
	values := make([]float64, len(r.results))
	for i, result := range r.results {
		values[i] = what(result)
	}
	return median(values)
}

// ratio is what ours takes to what r takes: the median over the rounds, and a 95% interval of it
// from resampling them.
func (r *row) ratio(ours *row, what func(result) float64) (middle, low, high float64) {
	var ratios []float64
	for i := range min(len(r.results), len(ours.results)) {
		if rival := what(r.results[i]); rival > 0 {
			ratios = append(ratios, what(ours.results[i])/rival)
		}
	}
	if len(ratios) == 0 {
		return 0, 0, 0
	}
	const resamples = 2000
	random := rand.New(rand.NewPCG(1, 2)) // the same each time
	medians, drawn := make([]float64, resamples), make([]float64, len(ratios))
	for i := range medians {
		for j := range drawn {
			drawn[j] = ratios[random.IntN(len(ratios))]
		}
		medians[i] = median(drawn)
	}
	slices.Sort(medians)
	return median(ratios), medians[resamples/40], medians[resamples-1-resamples/40]
}

// percentile of samples, by nearest rank.
func percentile(samples []time.Duration, p float64) time.Duration {
	samples = slices.Clone(samples)
	slices.Sort(samples)
	rank := int(float64(len(samples))*p + 0.999999)
	return samples[min(max(rank, 1), len(samples))-1]
}
