package main

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/bucketmill/bucketmill/objstore"
)

// newRegistry returns a registry with the metrics that every service has. stats returns the counts
// of its requests to object stores.
func newRegistry(stats func() objstore.Stats) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bucketmill_build_info", Help: "Always 1.",
	}, []string{"version", "go"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	registry.MustRegister(build, storeCollector(stats),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// storeCollector collects the counts of a process's requests to object stores.
type storeCollector func() objstore.Stats

var (
	storeRequestsDesc = prometheus.NewDesc("bucketmill_store_requests_total",
		"Requests sent to object stores, as they are billed.", []string{"kind"}, nil)
	storeRetriesDesc = prometheus.NewDesc("bucketmill_store_retries_total",
		"Of the requests: those sent again, for whatever reason.", nil, nil)
	storeHedgesDesc = prometheus.NewDesc("bucketmill_store_hedges_total",
		"Of the requests: reads sent a second time since the first was slow.", nil, nil)
	storeReadDesc = prometheus.NewDesc("bucketmill_store_read_bytes_total",
		"Bytes of objects read.", nil, nil)
	storeWrittenDesc = prometheus.NewDesc("bucketmill_store_written_bytes_total",
		"Bytes sent to object stores.", nil, nil)
)

// Describe implements prometheus.Collector.
func (storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{storeRequestsDesc, storeRetriesDesc, storeHedgesDesc, storeReadDesc, storeWrittenDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c storeCollector) Collect(out chan<- prometheus.Metric) {
	stats := c()
	count := func(desc *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
	}
	count(storeRequestsDesc, stats.Gets, "get")
	count(storeRequestsDesc, stats.Heads, "head")
	count(storeRequestsDesc, stats.Puts, "put")
	count(storeRequestsDesc, stats.Lists, "list")
	count(storeRequestsDesc, stats.Deletes, "delete")
	count(storeRetriesDesc, stats.Retries)
	count(storeHedgesDesc, stats.Hedges)
	count(storeReadDesc, stats.BytesRead)
	count(storeWrittenDesc, stats.BytesWritten)
}
