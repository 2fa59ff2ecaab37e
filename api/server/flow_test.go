package server_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// follow returns a job's events until its end.
func follow(t *testing.T, c *client.Client, id job.ID, after string) []api.Event {
	t.Helper()
	var events []api.Event
	for e, err := range c.Events(t.Context(), id, after) {
		must(t, err)
		events = append(events, e)
	}
	return events
}

func TestJobFromEndToEnd(t *testing.T) {
	s := serve(t, nil)
	s.work()
	c := s.client("")
	ctx := t.Context()
	for name, text := range map[string]string{"a": "to be or not to be\n", "b": "that is the question\nor not\n"} {
		_, err := c.Put(ctx, "inbox", "books/"+name+".txt", strings.NewReader(text), int64(len(text)))
		must(t, err)
	}
	var spec job.Spec
	must(t, json.Unmarshal([]byte(wordcount), &spec))
	submitted, err := c.Submit(ctx, client.Submission{Spec: spec})
	must(t, err)
	id := submitted.ID

	events := follow(t, c, id, "")
	kept := slices.DeleteFunc(slices.Clone(events), func(e api.Event) bool { return e.Type == api.EventProgress })
	var saw []string
	for _, e := range kept {
		saw = append(saw, strings.TrimSpace(e.Type+" "+string(e.State)+string(e.Phase)))
		if e.ID == "" || e.At == nil {
			t.Errorf("event %+v has no id or time", e)
		}
	}
	want := []string{"state SUBMITTED", "phase map", "phase reduce", "phase publish", "state COMPLETED", "ended"}
	if !slices.Equal(saw, want) {
		t.Errorf("events %q, want %q", saw, want)
	}
	// From the middle on there are the rest, and after the last one only the end.
	rest := slices.DeleteFunc(follow(t, c, id, kept[2].ID), func(e api.Event) bool { return e.Type == api.EventProgress })
	if len(rest) != 3 || rest[0].Phase != job.PhasePublish {
		t.Errorf("after %s: %+v", kept[2].ID, rest)
	}
	if end := follow(t, c, id, kept[5].ID); end[len(end)-1].Type != api.EventEnded {
		t.Errorf("after the end: %+v", end)
	}

	j, err := c.Job(ctx, id)
	must(t, err)
	if j.State != job.Completed || j.Phase != job.PhaseEnded || j.Name != "wc" || j.Program != "wordcount" ||
		j.Progress.Map.Done != j.Progress.Map.Total || j.Progress.Map.Total < 3 || j.Progress.Reduce.Done != 2 ||
		j.Error != nil || j.Inputs != 2 || j.InputBytes != 47 || j.Output != "s3://outbox/wc" {
		t.Errorf("job %+v", j)
	}
	if j.Times.Submitted == nil || j.Times.Ended == nil || j.Times.Ended.Before(j.Times.Submitted.Time) {
		t.Errorf("times %+v", j.Times)
	}
	counters, err := c.Counters(ctx, id)
	must(t, err)
	if len(counters) == 0 || len(j.Counters) != len(counters) {
		t.Errorf("counters %v, in the job %v", counters, j.Counters)
	}

	results, err := c.Results(ctx, id)
	must(t, err)
	text, err := io.ReadAll(results)
	must(t, errors.Join(err, results.Close()))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(lines)
	if got := strings.Join(lines, " "); got != "be\t2 is\t1 not\t2 or\t2 question\t1 that\t1 the\t1 to\t2" {
		t.Errorf("results %q", got)
	}
	var parts []byte
	for part := range 2 {
		r, err := c.Part(ctx, id, part)
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, errors.Join(err, r.Close()))
		parts = append(parts, text...)
	}
	if string(parts) != string(text) {
		t.Errorf("the parts are %q", parts)
	}

	for task, err := range c.Tasks(ctx, id, "") {
		t.Errorf("a task of a job that has ended without failures: %+v, %v", task, err)
	}
	if p := j.Progress; p.Map.Attempts != p.Map.Total || p.Reduce.Attempts != 2 {
		t.Errorf("attempts: %+v", p)
	}
	executors, err := c.Executors(ctx)
	must(t, err)
	if len(executors) != 1 || executors[0].ID != "hand" || executors[0].Slots != 2 || executors[0].Memory == 0 || executors[0].Seen == nil {
		t.Errorf("executors %+v", executors)
	}
}

const pythonCount = `
import sys

def map_fn(key, value):
    print("seen", file=sys.stderr)
    for word in value.split():
        yield word, 1

def reduce_fn(key, values):
    yield key, sum(values)
`

func TestProgramIsSentAlong(t *testing.T) {
	s := serve(t, nil)
	s.work()
	c := s.client("")
	s.put("s3://inbox/books/a.txt", "b a b\n")
	s.put("s3://inbox/programs/count.py", pythonCount)
	path := filepath.Join(t.TempDir(), "count.py")
	must(t, os.WriteFile(path, []byte(pythonCount), 0o600))
	one := 1
	spec := job.Spec{Input: job.Inputs("s3://inbox/books/"), Reducers: &one}

	sent, named := spec, spec
	sent.Output, named.Output = "s3://outbox/sent", "s3://outbox/named"
	named.Program = "s3://inbox/programs/count.py"
	for _, submission := range []client.Submission{{Spec: sent, ProgramPath: path}, {Spec: named}} {
		job, err := c.Submit(t.Context(), submission)
		must(t, err)
		follow(t, c, job.ID, "")
		results, err := c.Results(t.Context(), job.ID)
		if err != nil {
			record, _ := c.Job(t.Context(), job.ID)
			t.Fatalf("%v: %+v", err, record.Error)
		}
		text, err := io.ReadAll(results)
		must(t, errors.Join(err, results.Close()))
		if string(text) != "a\t1\nb\t2\n" {
			t.Errorf("results %q", text)
		}
		log, err := c.Log(t.Context(), job.ID, "m0.1")
		must(t, err)
		if text, err = io.ReadAll(log); err != nil || !strings.Contains(string(text), "seen") {
			t.Errorf("log %q, %v", text, err)
		}
		must(t, log.Close())
	}
}

func TestCancel(t *testing.T) {
	s := serve(t, nil) // without controller and executor
	c := s.client("")
	id := s.submit(wordcount)
	for range 2 {
		j, err := c.Cancel(t.Context(), id)
		if err != nil || j.State != job.Cancelled || j.Error == nil || j.Error.Message != "cancelled by anonymous" {
			t.Fatalf("%+v, %v", j, err)
		}
	}
	s.refused(api.CodeJobNotCompleted, "GET", "/v1/jobs/"+string(id)+"/results", "")

	failed := s.submit(strings.Replace(wordcount, "wc", "other", 2))
	must(t, s.store.Stop(t.Context(), failed, state.AnyStage, job.Failed, job.Failure{Class: job.ClassUser, Message: "no"}))
	var p *api.Problem
	if _, err := c.Cancel(t.Context(), failed); !errors.As(err, &p) || p.Code != api.CodeJobEnded || p.Detail != "job "+string(failed)+" is already FAILED" {
		t.Errorf("cancelling a failed job: %v", err)
	}
}
