package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/bucketmill/bucketmill/job"
)

// metrics returns all metrics by name and labels: values of counters and gauges, counts of
// histograms.
func (s *testServer) metrics() map[string]float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	must(s.t, err)
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := strings.TrimSuffix(family.GetName()+" "+strings.Join(labels, " "), " ")
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// The metrics show that jobs fail, and what executors do.
func TestMetricsTellHowJobsEnd(t *testing.T) {
	s := serve(t, false, nil)
	s.put("s3://inbox/books/a.txt", "a b a\nc\n")
	s.submit("--wait")
	const refuse = "sh -c 'cat >/dev/null; exit 3'"
	r := s.command("submit", "--mapper", refuse, "--reducers", "0", "-i", "s3://inbox/books/", "-o", "s3://outbox/fail", "--wait")
	if r.code != exitFailed {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	if r := s.command("submit", "wordcount", "-i", "s3://inbox/nothing/*", "-o", "s3://outbox/none", "--wait"); r.code != exitFailed {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	id := strings.TrimSpace(s.must("submit", "--mapper", "sleep 60", "--reducers", "0", "-i", "s3://inbox/books/", "-o", "s3://outbox/stop"))
	s.must("cancel", id)

	var got map[string]float64
	eventually(t, "all four have ended", func() bool {
		got = s.metrics()
		return got["bucketmill_job_seconds state=COMPLETED"]+got["bucketmill_job_seconds state=FAILED"]+got["bucketmill_job_seconds state=CANCELLED"] == 4
	})
	for name, want := range map[string]float64{
		"bucketmill_jobs_ended_total reason= state=COMPLETED":    1,
		"bucketmill_jobs_ended_total reason=user state=FAILED":   1,
		"bucketmill_jobs_ended_total reason=job state=FAILED":    1,
		"bucketmill_jobs_ended_total reason=infra state=FAILED":  0,
		"bucketmill_jobs_ended_total reason= state=CANCELLED":    1,
		"bucketmill_attempts_total result=committed side=map":    1,
		"bucketmill_attempts_total result=committed side=reduce": 1,
		"bucketmill_map_input_records_total":                     2,
		"bucketmill_map_output_records_total":                    4,
		"bucketmill_output_records_total":                        3,
		"bucketmill_slots":                                       2,
		"bucketmill_slots_busy":                                  0,
		"bucketmill_executors draining=false":                    1,
	} {
		if value, there := got[name]; !there || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
	if got["bucketmill_attempts_total result=user side=map"] < 1 {
		t.Errorf("no failed attempt was counted: %v", got)
	}
}

// A failed job that is retried ends twice. Its clean-up is not counted as another end.
func TestMetricsCountEndingsOnce(t *testing.T) {
	s := serve(t, false, nil)
	s.put("s3://inbox/books/a.txt", "a\n")
	id := strings.TrimSpace(s.command("submit", "--mapper", "sh -c 'cat >/dev/null; exit 3'", "--reducers", "0", "-i", "s3://inbox/books/", "-o", "s3://outbox/fail").stdout)
	const failures = "bucketmill_jobs_ended_total reason=user state=FAILED"
	for _, want := range []float64{1, 2} {
		eventually(t, "the job is kept", func() bool {
			theJob, err := s.store.Job(t.Context(), job.ID(id))
			return err == nil && theJob.Phase == job.PhaseKept && s.metrics()[failures] == want
		})
		if want == 1 {
			s.must("retry", id)
		}
	}
	j, err := s.store.Job(t.Context(), job.ID(id))
	must(t, err)
	must(t, s.store.Discard(t.Context(), j.ID, j.Stage))
	eventually(t, "the job is cleaned up after", func() bool {
		theJob, err := s.store.Job(t.Context(), job.ID(id))
		return err == nil && theJob.Phase == job.PhaseEnded
	})
	if got := s.metrics()[failures]; got != 2 {
		t.Errorf("%v ends were counted, want 2", got)
	}
}

// docs/metrics.md describes every metric, with the right type and labels, and no other.
func TestMetricsPage(t *testing.T) {
	s := serve(t, false, nil)
	s.put("s3://inbox/books/a.txt", "a\n")
	s.submit("--wait")
	eventually(t, "the cluster is reported", func() bool { return s.ctrl.Reports() })
	families, err := s.registry.Gather()
	must(t, err)
	found := map[string]string{}
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, "bucketmill_") {
			continue
		}
		var labels []string
		for _, l := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		slices.Sort(labels)
		found[name] = strings.TrimSpace(strings.ToLower(dto.MetricType_name[int32(family.GetType())]) + " " + strings.Join(labels, " "))
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	must(t, err)
	written := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(bucketmill_\\w+)` \\| (\\w+) \\|([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		labels := strings.Split(strings.TrimSpace(row[3]), ", ")
		slices.Sort(labels)
		written[row[1]] = strings.TrimSpace(row[2] + " " + strings.Join(labels, " "))
	}
	if !maps.Equal(found, written) {
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if written[name] != found[name] {
				t.Errorf("docs/metrics.md says %q of %s, which is %q", written[name], name, found[name])
			}
		}
		for _, name := range slices.Sorted(maps.Keys(written)) {
			if found[name] == "" {
				t.Errorf("docs/metrics.md has %s, which is not a metric", name)
			}
		}
	}
}
