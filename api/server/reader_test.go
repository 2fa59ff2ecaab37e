package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// archive has jobs that ended long ago, the newest first.
type archive []state.Job

func (a archive) Job(_ context.Context, id job.ID) (state.Job, error) {
	for _, j := range a {
		if j.ID == id {
			return j, nil
		}
	}
	return state.Job{}, fmt.Errorf("look up %s: %w", id, state.ErrNoJob)
}

func (a archive) Known(ctx context.Context, id job.ID) (bool, error) {
	_, err := a.Job(ctx, id)
	return err == nil, nil
}

func (a archive) Prefixed(_ context.Context, prefix job.ID, most int) (ids []job.ID, err error) {
	for _, j := range a {
		if strings.HasPrefix(string(j.ID), string(prefix)) && len(ids) < most {
			ids = append(ids, j.ID)
		}
	}
	return ids, nil
}

func (a archive) History(_ context.Context, offset, count int) (ids []job.ID, err error) {
	for _, j := range a[min(offset, len(a)):min(offset+count, len(a))] {
		ids = append(ids, j.ID)
	}
	return ids, nil
}

func (a archive) Summaries(_ context.Context, ids []job.ID) (jobs []state.Job, err error) {
	for _, j := range a {
		if slices.Contains(ids, j.ID) {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

func (archive) Counters(context.Context, job.ID) (map[string]int64, error) {
	return map[string]int64{"map_input_records": 7}, nil
}

func (archive) Events(_ context.Context, _ job.ID, after string, _ time.Duration) ([]state.Event, error) {
	if after != "" {
		return nil, nil
	}
	return []state.Event{{ID: "1-0", Kind: "ended"}}, nil
}

func (archive) Tasks(context.Context, state.Job, job.Side, int, int) ([]state.Task, error) {
	return nil, nil
}

func (archive) FailedTasks(context.Context, state.Job) ([]state.Task, error) {
	return []state.Task{{Task: job.TaskID{Side: job.Map, Index: 3}}}, nil
}

// Jobs may come from elsewhere than Redis: everything that reads them does then.
func TestJobsFromElsewhere(t *testing.T) {
	ended := func(id job.ID) state.Job {
		return state.Job{
			ID: id, Name: "old", State: job.Completed, Phase: job.PhaseEnded, Submitted: time.UnixMilli(1), Ended: time.UnixMilli(2),
			Spec: json.RawMessage(`{"program":"wordcount","input":["s3://inbox/"],"output":"s3://outbox/old"}`),
		}
	}
	s := serve(t, func(c *server.Config) { c.Jobs = archive{ended("second-job"), ended("first-job")} })
	get := func(path string, to any) {
		t.Helper()
		a := s.ask("GET", path, "")
		if err := json.Unmarshal(a.body, to); err != nil || a.status != 200 {
			t.Errorf("%s is answered with %d %s", path, a.status, a.body)
		}
	}
	var list api.JobList
	get("/v1/jobs", &list)
	if len(list.Jobs) != 2 || list.Jobs[0].ID != "second-job" {
		t.Errorf("the list has %+v", list.Jobs)
	}
	var j api.Job
	get("/v1/jobs/firs", &j)
	if j.ID != "first-job" || j.State != job.Completed || j.Counters["map_input_records"] != 7 || len(j.Spec) == 0 {
		t.Errorf("the job is %+v", j)
	}
	var tasks api.TaskList
	get("/v1/jobs/first-job/tasks", &tasks)
	if len(tasks.Tasks) != 1 || tasks.Tasks[0].ID != "m3" {
		t.Errorf("its tasks are %+v", tasks.Tasks)
	}
	var counters map[string]int64
	get("/v1/jobs/first-job/counters", &counters)
	if counters["map_input_records"] != 7 {
		t.Errorf("its counters are %v", counters)
	}
	if a := s.ask("GET", "/v1/jobs/first-job/events", ""); a.status != 200 || !strings.Contains(string(a.body), "event: ended") {
		t.Errorf("its events are answered with %d %s", a.status, a.body)
	}
	s.refused(api.CodeJobNotFound, "GET", "/v1/jobs/third-job", "")
	s.refused(api.CodeJobEnded, "POST", "/v1/jobs/first-job/cancel", "")
}
