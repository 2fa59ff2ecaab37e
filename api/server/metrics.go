package server

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// metrics are the metrics of the API and, read from Redis, of the cluster.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	handle   echo.HandlerFunc
}

func newMetrics(cfg *Config) *metrics {
	registry := cfg.Metrics
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bucketmill_http_requests_total", Help: "Requests answered.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bucketmill_http_request_seconds", Help: "Time to the end of the answer.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10, 60},
		}, []string{"method", "route"}),
	}
	registry.MustRegister(m.requests, m.duration, clusterCollector{cfg.Store, cfg.Reports})
	m.handle = echo.WrapHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, // without Redis there are still the other metrics
		Registry:      registry,                 // for the count of errors
	}))
	return m
}

// count counts an answer. Its labels are routes, which are few, and not paths and odd methods,
// which clients choose.
func (m *metrics) count(c echo.Context, took time.Duration) {
	route, method := c.Path(), c.Request().Method
	if route == "" || c.Response().Status == 405 {
		route, method = "none", "any"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(c.Response().Status)).Inc()
	m.duration.WithLabelValues(method, route).Observe(took.Seconds())
}

// clusterCollector reads the state of the cluster at each scrape, if this server reports it.
type clusterCollector struct {
	store   *state.Store
	reports func() bool
}

var (
	jobsDesc = prometheus.NewDesc("bucketmill_jobs",
		"Jobs that have not ended, by state.", []string{"state"}, nil)
	readyDesc = prometheus.NewDesc("bucketmill_tasks_ready",
		"Tasks in the current phases of their jobs that wait for an executor.", nil, nil)
	runningDesc = prometheus.NewDesc("bucketmill_tasks_running",
		"Attempts that run.", nil, nil)
	executorsDesc = prometheus.NewDesc("bucketmill_executors",
		"Executors that have reported lately.", []string{"draining"}, nil)
	slotsDesc = prometheus.NewDesc("bucketmill_executor_slots",
		"Slots of executors that are not draining.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c clusterCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsDesc, readyDesc, runningDesc, executorsDesc, slotsDesc} {
		out <- d
	}
}

// collectTimeout is how long Redis may take for one scrape.
const collectTimeout = 5 * time.Second

// Collect implements prometheus.Collector.
func (c clusterCollector) Collect(out chan<- prometheus.Metric) {
	if !c.reports() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout) // Collect has no context
	defer cancel()
	c.collectJobs(ctx, out)
	c.collectExecutors(ctx, out)
}

func (c clusterCollector) collectJobs(ctx context.Context, out chan<- prometheus.Metric) {
	ids, err := c.store.Active(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(jobsDesc, err)
		return
	}
	var (
		mu             sync.Mutex // guards the rest
		ready, running int
	)
	states := map[job.State]int{job.Submitted: 0, job.Mapping: 0, job.Reducing: 0}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for _, id := range ids {
		g.Go(func() error {
			job, err := c.store.Job(ctx, id)
			if errors.Is(err, state.ErrNoJob) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if !job.State.Terminal() {
				states[job.State]++
			}
			ready += readyTasks(job)
			running += job.Map.Running + job.Reduce.Running
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		out <- prometheus.NewInvalidMetric(jobsDesc, err)
		return
	}
	for st, n := range states {
		out <- prometheus.MustNewConstMetric(jobsDesc, prometheus.GaugeValue, float64(n), string(st))
	}
	out <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, float64(ready))
	out <- prometheus.MustNewConstMetric(runningDesc, prometheus.GaugeValue, float64(running))
}

// readyTasks is how many tasks of a job wait for an executor.
func readyTasks(j state.Job) int {
	switch j.Phase {
	case job.PhaseMap:
		return max(0, j.Map.Total-j.Map.Done-j.Map.Running)
	case job.PhaseReduce:
		return max(0, j.Reduce.Total-j.Reduce.Done-j.Reduce.Running)
	}
	return 0
}

func (c clusterCollector) collectExecutors(ctx context.Context, out chan<- prometheus.Metric) {
	executors, err := c.store.Executors(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(executorsDesc, err)
		return
	}
	var working, draining, slots int
	for _, e := range executors {
		if e.Draining {
			draining++
			continue
		}
		working++
		slots += e.Slots
	}
	out <- prometheus.MustNewConstMetric(executorsDesc, prometheus.GaugeValue, float64(working), "false")
	out <- prometheus.MustNewConstMetric(executorsDesc, prometheus.GaugeValue, float64(draining), "true")
	out <- prometheus.MustNewConstMetric(slotsDesc, prometheus.GaugeValue, float64(slots))
}
