package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

func TestMetrics(t *testing.T) {
	s := serve(t, nil)
	id := s.submit(wordcount)
	s.submit(strings.ReplaceAll(wordcount, "wc", "other"))
	plan, err := layout.Plan{Spread: 1, PageSize: 1}.Encode()
	must(t, err)
	must(t, s.store.Start(t.Context(), id, state.Outline{Maps: 5, Reduces: 1, Plan: plan}))
	_, err = s.store.Claim(t.Context(), "me", 2, time.Minute)
	must(t, err)
	must(t, s.store.ReportExecutor(t.Context(), state.ExecutorInfo{ID: "me", Slots: 3}, time.Minute))
	must(t, s.store.ReportExecutor(t.Context(), state.ExecutorInfo{ID: "old", Slots: 4, Draining: true}, time.Minute))
	s.ask("BREW", "/pot/"+t.Name(), "")
	text := string(s.ask("GET", "/metrics", "").body)
	for _, line := range []string{
		`bucketmill_jobs{state="MAPPING"} 1`,
		`bucketmill_jobs{state="SUBMITTED"} 1`,
		`bucketmill_jobs{state="REDUCING"} 0`,
		`bucketmill_tasks_ready 3`,
		`bucketmill_tasks_running 2`,
		`bucketmill_executors{draining="false"} 1`,
		`bucketmill_executors{draining="true"} 1`,
		`bucketmill_executor_slots 3`,
		`bucketmill_http_requests_total{method="POST",route="/v1/jobs",status="201"} 2`,
		`bucketmill_http_requests_total{method="any",route="none",status="404"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	if strings.Contains(text, t.Name()) || strings.Contains(text, "BREW") {
		t.Errorf("metrics are %s", text)
	}
}
