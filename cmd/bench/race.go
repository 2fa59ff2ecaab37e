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
	// prepare makes the data and starts servers. The first contender is Bucketmill.
	prepare func(ctx context.Context, b *bench) ([]contender, error)
}

// cases are run in this order.
var cases = []benchmark{wordCountCase, serviceCase, pythonCase, streamingCase, sortCase, serviceSortCase, grepCase, emptyCase, smallCase}

// contender is one way to do the work.
type contender struct {
	name string
	// absent says why it can't take part; empty if it can.
	absent string
	// attempt does the work once, and checks the output. The time that it returns does not include
	// the check.
	attempt func(ctx context.Context) (result, error)
}

// result is the result of one attempt.
type result struct {
	usage
	figures []figure
	// samples, if any, are the times of many small jobs; the wall time is that of one job.
	samples []time.Duration
}

// figure is another measurement.
type figure struct {
	name  string
	value float64
	unit  string
}

// row is a contender with the results of its measured attempts.
type row struct {
	contender
	results []result
	err     error // of the attempt that failed; it ends the case
}

// runCase prepares a case and runs its contenders in turn. If it fails, it also returns the rows up
// to then.
func (b *bench) runCase(ctx context.Context, c benchmark) (rows []row, err error) {
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
			if err := b.runOnce(ctx, &rows[i], round > 0); err != nil {
				return rows, err
			}
		}
	}
	return rows, nil
}

func (b *bench) runOnce(ctx context.Context, r *row, counts bool) error {
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

// median returns the median of values, or 0 if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Clone(values)
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// medianOf returns the median of a value of the results.
func (r *row) medianOf(value func(result) float64) float64 {
	values := make([]float64, len(r.results))
	for i, result := range r.results {
		values[i] = value(result)
	}
	return median(values)
}

// ratio compares a value of ours with that of r. It returns the median of the rounds' ratios, and a
// 95% interval from resampling the rounds.
func (r *row) ratio(ours *row, value func(result) float64) (middle, low, high float64) {
	var ratios []float64
	for i := range min(len(r.results), len(ours.results)) {
		if rival := value(r.results[i]); rival > 0 {
			ratios = append(ratios, value(ours.results[i])/rival)
		}
	}
	if len(ratios) == 0 {
		return 0, 0, 0
	}
	const resamples = 2000
	random := rand.New(rand.NewPCG(1, 2)) // the same sequence each time
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

// percentile returns a percentile of samples, by nearest rank.
func percentile(samples []time.Duration, p float64) time.Duration {
	samples = slices.Clone(samples)
	slices.Sort(samples)
	rank := int(float64(len(samples))*p + 0.999999)
	return samples[min(max(rank, 1), len(samples))-1]
}
