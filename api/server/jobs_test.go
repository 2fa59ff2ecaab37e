package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

func TestListJobs(t *testing.T) {
	s := serve(t, nil)
	c := s.client("")
	var ids []job.ID
	for i := range 7 {
		spec := fmt.Sprintf(`{"name":"nightly-%d","program":"wordcount","input":["s3://inbox/"],"output":"s3://outbox/%d"}`, i, i)
		ids = append(ids, s.submit(spec))
	}
	must(t, s.store.Stop(t.Context(), ids[2], state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob, Message: "no", Detail: "long"}))
	list := func(f client.Filter) (found []job.ID) {
		for job, err := range c.Jobs(t.Context(), f) {
			must(t, err)
			found = append(found, job.ID)
			if job.Spec != nil || job.Counters != nil || (job.Error != nil) != (job.ID == ids[2]) || job.Error != nil && job.Error.Detail != "" {
				t.Errorf("listed as %+v", job)
			}
		}
		slices.Sort(found)
		return found
	}
	for _, l := range []struct {
		filter client.Filter
		want   []job.ID
	}{
		{client.Filter{}, ids},
		{client.Filter{Name: "nightly-*"}, ids},
		{client.Filter{Name: "y-3"}, ids[3:4]},
		{client.Filter{Name: "*-[45]"}, ids[4:6]},
		{client.Filter{Name: "daily"}, nil},
		{client.Filter{States: []job.State{job.Cancelled, job.Failed}}, ids[2:3]},
		{client.Filter{States: []job.State{job.Submitted}, Name: "y-2"}, nil},
	} {
		want := slices.Sorted(slices.Values(l.want))
		if got := list(l.filter); !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", l.filter, got, want)
		}
	}

	// Jobs that are submitted between two pages are not shown, and no other job appears twice
	// because of them.
	var paged []job.ID
	for query := "?limit=2"; ; {
		var page api.JobList
		must(t, json.Unmarshal(s.ask("GET", "/v1/jobs"+query, "").body, &page))
		for _, job := range page.Jobs {
			paged = append(paged, job.ID)
		}
		if page.Next == "" {
			break
		}
		query = "?limit=2&cursor=" + page.Next
		s.submit(wordcount)
	}
	slices.Sort(paged)
	if !slices.Equal(paged, slices.Sorted(slices.Values(ids))) {
		t.Errorf("paged %v, want %v", paged, ids)
	}
	for _, query := range []string{"limit=0", "limit=x", "limit=501", "state=RUNNING", "cursor=x!", "cursor=", "cursor=-1", "cursor=01", "cursor=1.", "cursor=1.%2F", "cursor=123456789", "name=[a"} {
		s.refused(api.CodeInvalidQuery, "GET", "/v1/jobs?"+query, "")
	}
}

func TestNoSuchJob(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.Retry = func(context.Context, job.ID) error { return nil } })
	for _, id := range []string{"nope", "no%7Dpe", "%2e%2e"} {
		for _, path := range []string{"", "/counters", "/events", "/results", "/tasks"} {
			s.refused(api.CodeJobNotFound, "GET", "/v1/jobs/"+id+path, "")
		}
		s.refused(api.CodeJobNotFound, "POST", "/v1/jobs/"+id+"/cancel", "")
		s.refused(api.CodeJobNotFound, "POST", "/v1/jobs/"+id+"/retry", "")
	}
	s.refused(api.CodeLogNotFound, "GET", "/v1/jobs/nope/tasks/m0/attempts/1/log", "")
	for _, attempt := range []string{"x0/attempts/1", "m/attempts/1", "m0/attempts/0", "m-1/attempts/1", "m0/attempts/%2e%2e", "m00/attempts/1"} {
		s.refused(api.CodeTaskNotFound, "GET", "/v1/jobs/nope/tasks/"+attempt+"/log", "")
	}
}

func TestRetry(t *testing.T) {
	var retried job.ID
	s := serve(t, func(c *server.Config) {
		c.Retry = func(_ context.Context, id job.ID) error {
			if retried != "" {
				return fmt.Errorf("retry %s: %w", id, state.ErrIllegal)
			}
			retried = id
			return nil
		}
	})
	id := s.submit(wordcount)
	if job, err := s.client("").Retry(t.Context(), id); err != nil || job.ID != id || retried != id {
		t.Errorf("%+v, %v", job, err)
	}
	var p *api.Problem
	if _, err := s.client("").Retry(t.Context(), id); !errors.As(err, &p) || p.Code != api.CodeJobNotRetryable || p.Status != 409 {
		t.Errorf("again: %v", err)
	}
	must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Failed, job.Failure{Class: job.ClassUser, Message: "no"}))
	if _, err := s.client("").Retry(t.Context(), id); !errors.As(err, &p) || !strings.Contains(p.Detail, "is FAILED, but is still being cleaned up; try again") {
		t.Errorf("too early: %v", err)
	}
	must(t, s.store.Forget(t.Context(), id, state.AnyStage, time.Hour))
	if _, err := s.client("").Retry(t.Context(), id); !errors.As(err, &p) || !strings.Contains(p.Detail, "is FAILED, and what a retry needs is deleted") {
		t.Errorf("too late: %v", err)
	}
	bare := serve(t, nil)
	bare.refused(api.CodeNotConfigured, "POST", "/v1/jobs/x/retry", "")
	taken := serve(t, func(c *server.Config) {
		c.Retry = func(context.Context, job.ID) error {
			return fmt.Errorf("output s3://outbox/wc: job other is writing to it: %w", job.ErrOutputNotFree)
		}
	})
	a := taken.refused(api.CodeJobNotRetryable, "POST", "/v1/jobs/"+string(taken.submit(wordcount))+"/retry", "")
	if p := a.problem(t); p.Status != 409 || !strings.Contains(p.Detail, "job other is writing to it") {
		t.Errorf("%+v", p)
	}
}

func TestTasksWithAttempts(t *testing.T) {
	s := serve(t, nil)
	c := s.client("")
	id := s.submit(wordcount)
	plan, err := layout.Plan{Spread: 1, PageSize: 1}.Encode()
	must(t, err)
	must(t, s.store.Start(t.Context(), id, state.Outline{Maps: 3, Reduces: 2, Plan: plan}))
	claim := func() job.AttemptID {
		claims, err := s.store.Claim(t.Context(), "me", 1, time.Minute)
		must(t, err)
		return claims[0].Attempt
	}
	must(t, s.store.Fail(t.Context(), claim(), "me", job.Failure{Class: job.ClassUser, Message: "bad", Record: "r", Log: "l"}, state.Limits{Shun: -1}))
	var runs job.AttemptID
	for range 2 { // the failed one again, and another
		if a := claim(); a.Task.Index == 0 {
			must(t, s.store.Commit(t.Context(), a, "me", []byte("m"), nil))
		} else {
			runs = a
		}
	}
	var tasks []api.Task
	for task, err := range c.Tasks(t.Context(), id, "") {
		must(t, err)
		tasks = append(tasks, task)
	}
	if len(tasks) != 5 || tasks[3].ID != "r0" || tasks[4].Side != "reduce" || tasks[4].State != "pending" {
		t.Fatalf("tasks %+v", tasks)
	}
	first := tasks[0]
	if first.State != "committed" || len(first.Attempts) != 2 || first.Attempts[0].State != "failed" || first.Attempts[0].Error.Record != "r" ||
		first.Attempts[1].State != "committed" || first.Attempts[1].Number != 2 || first.Attempts[1].Ended == nil {
		t.Errorf("first %+v", first)
	}
	if second := tasks[runs.Task.Index]; second.State != "running" || second.Attempts[0].Executor != "me" || second.Attempts[0].Started == nil {
		t.Errorf("second %+v", second)
	}
	active, err := c.Active(t.Context())
	if err != nil || len(active) != 1 || active[0].Job != id || active[0].Task != runs.Task.String() {
		t.Errorf("active %+v, %v", active, err)
	}
	var page api.TaskList
	must(t, json.Unmarshal(s.ask("GET", "/v1/jobs/"+string(id)+"/tasks?offset=2&limit=2", "").body, &page))
	if page.Total != 5 || len(page.Tasks) != 2 || page.Tasks[0].ID != "m2" || page.Tasks[1].ID != "r0" {
		t.Errorf("page %+v", page)
	}
	for side, n := range map[string]int{"map": 3, "reduce": 2} {
		must(t, json.Unmarshal(s.ask("GET", "/v1/jobs/"+string(id)+"/tasks?side="+side, "").body, &page))
		if page.Total != n || len(page.Tasks) != n {
			t.Errorf("%s: %+v", side, page)
		}
	}
	s.refused(api.CodeInvalidQuery, "GET", "/v1/jobs/"+string(id)+"/tasks?side=both", "")

	// Once the job has ended, its failed attempts are left, and the counts of all.
	must(t, s.store.Fail(t.Context(), runs, "me", job.Failure{Class: job.ClassInfra, Message: "disk"}, state.Limits{Shun: -1}))
	must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob, Message: "enough"}))
	must(t, s.store.Forget(t.Context(), id, state.AnyStage, time.Hour))
	failing := "m" + strconv.Itoa(runs.Task.Index)
	for query, want := range map[string]string{
		"": "m0 committed 1," + failing + " stopped 1,", "?side=map": "m0 committed 1," + failing + " stopped 1,", "?side=reduce": "",
		"?limit=1": "m0 committed 1,", "?offset=1": failing + " stopped 1,", "?offset=7": "",
	} {
		page, got := api.TaskList{}, ""
		must(t, json.Unmarshal(s.ask("GET", "/v1/jobs/"+string(id)+"/tasks"+query, "").body, &page))
		for _, task := range page.Tasks {
			got += fmt.Sprintf("%s %s %d,", task.ID, task.State, len(task.Attempts))
		}
		if p := page.Progress.Map; got != want || !page.Forgotten || p.Total != 3 || p.Done != 1 || p.Attempts != 3 || p.Failed != 2 {
			t.Errorf("ended%s: %q, want %q; %+v", query, got, want, page)
		}
	}
}
