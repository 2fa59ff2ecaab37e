package executor

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// metrics count what this executor does.
type metrics struct {
	attempts  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	renewals  prometheus.Counter
	claimFail prometheus.Counter
	totals    map[string]prometheus.Counter // by the name of a job's counter
}

// totals are the metrics that add up a counter of the committed attempts.
var totals = []struct{ counter, name, help string }{
	{"map_input_records", "bucketmill_map_input_records_total", "Records that map tasks have read."},
	{"map_input_bytes", "bucketmill_map_input_bytes_total", "Bytes of records that map tasks have read."},
	{"map_output_records", "bucketmill_map_output_records_total", "Records that mappers have emitted, before a combiner."},
	{"shuffle_records", "bucketmill_shuffle_records_total", "Records of intermediates that map tasks have written."},
	{"shuffle_bytes", "bucketmill_shuffle_bytes_total", "Bytes of intermediates that map tasks have written, compressed."},
	{"shuffle_read_bytes", "bucketmill_shuffle_read_bytes_total", "Bytes of intermediates that reduce tasks have read, compressed."},
	{"spilled_bytes", "bucketmill_spilled_bytes_total", "Bytes that tasks have written to local disk."},
	{"output_records", "bucketmill_output_records_total", "Records of outputs."},
	{"output_bytes", "bucketmill_output_bytes_total", "Bytes of outputs."},
}

// newMetrics registers an executor's metrics; with a nil registry they are not visible.
func newMetrics(registry prometheus.Registerer, e *Executor) *metrics {
	f := promauto.With(registry)
	m := &metrics{
		attempts: f.NewCounterVec(prometheus.CounterOpts{
			Name: "bucketmill_attempts_total",
			Help: "Attempts that ended on this executor, by side and result: committed, given_away (their task was reassigned), or the class of the failure.",
		}, []string{"side", "result"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bucketmill_attempt_seconds", Help: "Duration of the attempts that ended on this executor, by side.",
			Buckets: []float64{.05, .2, 1, 5, 20, 60, 300, 1200, 3600},
		}, []string{"side"}),
		renewals: f.NewCounter(prometheus.CounterOpts{
			Name: "bucketmill_heartbeats_failed_total", Help: "Heartbeats that failed: Redis did not accept them in time.",
		}),
		claimFail: f.NewCounter(prometheus.CounterOpts{
			Name: "bucketmill_claims_failed_total", Help: "Claims of tasks that failed: Redis did not answer.",
		}),
		totals: map[string]prometheus.Counter{},
	}
	for _, total := range totals {
		m.totals[total.counter] = f.NewCounter(prometheus.CounterOpts{Name: total.name, Help: total.help + " Of committed attempts."})
	}
	for _, side := range []job.Side{job.Map, job.Reduce} { // a rate needs a first value, zero
		for _, result := range []string{
			"committed", "given_away", string(job.ClassUser), string(job.ClassInfra), string(job.ClassSegment), string(job.ClassReleased),
		} {
			m.attempts.WithLabelValues(side.String(), result)
		}
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "bucketmill_slots", Help: "Attempts that this executor can run at a time."},
		func() float64 { return float64(e.cfg.Slots) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "bucketmill_slots_busy", Help: "Attempts that it runs now."},
		func() float64 { return float64(len(e.running())) })
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "bucketmill_executor_paused", Help: "1 while it claims no tasks, since attempts on it failed one after the other.",
	}, func() float64 { return boolean(!e.breaker.pausedUntil().IsZero()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "bucketmill_executor_draining", Help: "1 once it was told to stop."},
		func() float64 { return boolean(e.draining.Load()) })
	return m
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// attemptEnded counts an attempt that ended, given its context.
func (m *metrics) attemptEnded(ctx context.Context, a *attempt, took time.Duration, err error) {
	var segment *segmentError
	result := "committed"
	switch {
	case err == nil:
	case errors.Is(err, state.ErrStale), errors.Is(context.Cause(ctx), errReassigned):
		result = "given_away"
	case errors.As(err, &segment):
		result = string(job.ClassSegment)
	default:
		result = string(classify(ctx, err))
	}
	side := a.Attempt.Task.Side.String()
	m.attempts.WithLabelValues(side, result).Inc()
	m.seconds.WithLabelValues(side).Observe(took.Seconds())
}

// committed adds the counters of a committed attempt to the totals.
func (m *metrics) committed(counters map[string]int64) {
	for name, counter := range m.totals {
		if n := counters[name]; n > 0 {
			counter.Add(float64(n))
		}
	}
}
