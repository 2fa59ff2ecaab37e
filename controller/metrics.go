package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// metrics count what this controller does. The controller whose transition ends a job counts the
// end, so the counts of several controllers add up. A controller that is killed loses what it has
// not shown yet.
type metrics struct {
	ended    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	lost     prometheus.Counter
	backups  prometheus.Counter
	failures prometheus.Counter
	webhooks *prometheus.CounterVec
	left     prometheus.Counter
}

// newMetrics makes the metrics and registers them, unless registry is nil.
func newMetrics(registry prometheus.Registerer) *metrics {
	f := promauto.With(registry)
	m := &metrics{
		ended: f.NewCounterVec(prometheus.CounterOpts{
			Name: "bucketmill_jobs_ended_total",
			Help: "Jobs that ended, by state, and failed ones by the class of the failure that ended them.",
		}, []string{"state", "reason"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bucketmill_job_seconds", Help: "Time from a job's submission to its end.",
			Buckets: []float64{1, 5, 20, 60, 300, 1200, 3600, 4 * 3600, 24 * 3600},
		}, []string{"state"}),
		lost: f.NewCounter(prometheus.CounterOpts{
			Name: "bucketmill_attempts_lost_total", Help: "Attempts whose tasks were reassigned: their leases ended, or they made no progress.",
		}),
		backups: f.NewCounter(prometheus.CounterOpts{
			Name: "bucketmill_backup_attempts_total", Help: "Attempts that were started beside slow ones.",
		}),
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "bucketmill_controller_failures_total", Help: "Steps of jobs that failed, for a reason such as a store that does not answer; each is repeated.",
		}),
		webhooks: f.NewCounterVec(prometheus.CounterOpts{
			Name: "bucketmill_webhooks_total", Help: "Notices of the ends of jobs that were sent to webhooks, by result.",
		}, []string{"result"}),
		left: f.NewCounter(prometheus.CounterOpts{
			Name: "bucketmill_cleanups_abandoned_total", Help: "Clean-ups that left something on the store, because the store refused for too long.",
		}),
	}
	// Rates need a first value, zero.
	for _, class := range []job.Class{job.ClassUser, job.ClassStuck, job.ClassInfra, job.ClassLost, job.ClassSegment, job.ClassJob} {
		m.ended.WithLabelValues(string(job.Failed), string(class))
	}
	m.ended.WithLabelValues(string(job.Completed), "")
	m.ended.WithLabelValues(string(job.Cancelled), "")
	for _, st := range []job.State{job.Completed, job.Failed, job.Cancelled} {
		m.seconds.WithLabelValues(string(st))
	}
	for _, result := range []string{"delivered", "failed"} {
		m.webhooks.WithLabelValues(result)
	}
	return m
}

// jobEnded counts the end of a job. A job that was kept for a retry was counted then.
func (m *metrics) jobEnded(j state.Job) {
	if !j.KeptUntil.IsZero() {
		return
	}
	reason := ""
	if j.State == job.Failed {
		reason = string(job.ClassJob)
		if j.Error != nil {
			reason = string(j.Error.Class)
		}
	}
	m.ended.WithLabelValues(string(j.State), reason).Inc()
	m.seconds.WithLabelValues(string(j.State)).Observe(j.Ended.Sub(j.Submitted).Seconds())
}
