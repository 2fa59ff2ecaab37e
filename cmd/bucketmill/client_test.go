package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8/decor"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
)

// wants checks that a text matches a regular expression.
func wants(t *testing.T, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(text) {
		t.Errorf("no match for %q in\n%s", pattern, text)
	}
}

// All commands that show a job work.
func TestClientLooksAtAJob(t *testing.T) {
	t.Parallel()
	s := serve(t, false, func(cfg *server.Config) {
		cfg.Presign = func(_ context.Context, method, url string, _ time.Duration) (string, error) {
			return "http://links/" + method + "/" + strings.TrimPrefix(url, "file://"), nil
		}
	})
	s.put("s3://inbox/books/a.txt", "to be or not to be\n")
	s.put("s3://inbox/books/b.txt", "that is the question\nor not\n")
	r := s.command("submit", "wordcount", "--name", "wc", "-i", "s3://inbox/books/*.txt", "-o", "s3://outbox/wc", "-r", "2", "--split-size", "32", "--wait")
	if r.code != exitDone {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	wants(t, r.stdout, `^job +(\S+)  wc  COMPLETED in [\d.]+m?s\ninput +47 B in 2 objects, 3 records, .*/s\nshuffle .*\n`+
		`output .* in 2 parts, 8 records\nattempts +2 map tasks, 2 reduce tasks\nwhere +s3://outbox/wc\n\npart-0000\d begins:\n  \w+\t\d\n`)
	id := regexp.MustCompile(`^job +(\S+)`).FindStringSubmatch(r.stdout)[1]
	wants(t, r.stderr, `^  submitted `+id+`\n`)

	wants(t, s.must("status", "last"), `(?s)^job +`+id+`  wc\nstate +COMPLETED.*\nmap +2/2 tasks \(100%\), 2 attempts\nreduce +2/2 tasks \(100%\), 2 attempts\n.*counters\n.*map_input_records +3\n`)
	wants(t, s.must("status", id, "--watch"), `^job +`+id+`  wc  COMPLETED in `)
	wants(t, s.must("list"), `^ID .*\n`+id+`  wc +COMPLETED  2/2  2/2     now .*\n$|^ID .*\n`+id+`  wc +COMPLETED  2/2  2/2 .* ago .*\n$`)
	if out := s.must("list", "--state", "failed,cancelled"); out != "" {
		t.Errorf("failed jobs: %s", out)
	}
	wants(t, s.must("executors"), `^ID .*\nhand +\S+ +(idle|busy) +\d/2 +[\d.]+ +.* +test\n$`)
	wants(t, s.must("events", id), `^[\d:.]+ state SUBMITTED\n[\d:.]+ phase map\n[\d:.]+ phase reduce\n[\d:.]+ phase publish\n[\d:.]+ state COMPLETED\n`)
	wants(t, s.must("events", id, "--follow"), `\n[\d:.]+ ended\n$`)
	const ended = `^The job has ended: only tasks with failed attempts are listed, and only the newest of these\.\n`
	wants(t, s.must("tasks", "-"), ended+`map +2/2 tasks \(100%\), 2 attempts\nreduce +2/2 tasks \(100%\), 2 attempts\n$`)
	wants(t, s.must("tasks", id, "--side", "reduce"), ended+`reduce +2/2 tasks \(100%\), 2 attempts\n$`)

	results := strings.Split(strings.TrimSpace(s.must("results", id)), "\n")
	if len(results) != 8 {
		t.Errorf("results %q", results)
	}
	path := filepath.Join(t.TempDir(), "all.txt")
	s.must("results", id, "--output", path)
	if text, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(text)) != strings.Join(results, "\n") {
		t.Errorf("the file has %q, %v", text, err)
	}

	looksAtJSON(t, s, id)
}

// looksAtJSON checks the JSON output of the commands.
func looksAtJSON(t *testing.T, s *testServer, id string) {
	t.Helper()
	var j api.Job
	if s.json(&j, "status", id); j.State != job.Completed || string(j.ID) != id || j.Progress.Map.Done != 2 || j.Times.Ended == nil {
		t.Errorf("status %+v", j)
	}
	var jobs api.JobList
	if s.json(&jobs, "list", "--name", "w?"); len(jobs.Jobs) != 1 {
		t.Errorf("list %+v", jobs)
	}
	if s.json(&jobs, "list", "--name", "nothing"); jobs.Jobs == nil || len(jobs.Jobs) != 0 {
		t.Errorf("list of nothing %+v", jobs)
	}
	var tasks api.TaskList
	if s.json(&tasks, "tasks", id); tasks.Tasks == nil || len(tasks.Tasks) != 0 || !tasks.Forgotten || tasks.Progress.Map.Attempts != 2 {
		t.Errorf("tasks %+v", tasks)
	}
	var links api.LinkList
	if s.json(&links, "results", id); len(links.Parts) != 2 || !strings.HasPrefix(links.Parts[1].URL, "http://links/GET/") {
		t.Errorf("links %+v", links)
	}
	var executors api.ExecutorList
	if s.json(&executors, "executors"); len(executors.Executors) != 1 || executors.Executors[0].ID != "hand" {
		t.Errorf("executors %+v", executors)
	}
	if events := s.must("events", id, "--json"); !strings.HasPrefix(events, `{"id":"`) || strings.Count(events, "\n") < 5 {
		t.Errorf("events %s", events)
	}
}

func TestPace(t *testing.T) {
	bar := &sideBar{}
	bar.since.Store(time.Now().Add(-10 * time.Second).UnixNano())
	bar.first.Store(500)
	if text := bar.pace(decor.Statistics{Current: 500, Total: 8000}); text != "" {
		t.Errorf("before any progress: %q", text)
	}
	if text := bar.pace(decor.Statistics{Current: 5500, Total: 8000}); text != "0.5/s, 5s left" {
		t.Errorf("5 tasks in 10 s, 2.5 to go: %q", text)
	}
}

func TestClientObjects(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	folder := writeFiles(t, map[string]string{"a.txt": "first", "b.txt": "", "into/old": "x"})
	wants(t, s.must("put", filepath.Join(folder, "a.txt"), "s3://inbox/books/", "--make-bucket"), `^s3://inbox/books/a\.txt  5 B\n$`)
	var o api.Object
	if s.json(&o, "put", filepath.Join(folder, "b.txt"), "s3://inbox/books/Zoë 100%?.txt"); o.Size != 0 || o.Key != "books/Zoë 100%?.txt" {
		t.Errorf("put %+v", o)
	}
	wants(t, s.must("ls", "s3://inbox"), `^SIZE  MODIFIED.*\n0 B .* s3://inbox/books/Zoë 100%\?\.txt\n5 B .* s3://inbox/books/a\.txt\n$`)
	var list api.ObjectList
	if s.json(&list, "ls", "s3://inbox/books/a"); len(list.Objects) != 1 || list.Objects[0].URL != "s3://inbox/books/a.txt" {
		t.Errorf("ls %+v", list)
	}
	if text := s.must("get", "s3://inbox/books/a.txt"); text != "first" {
		t.Errorf("got %q", text)
	}
	if s.json(&o, "get", "s3://inbox/books/a.txt", filepath.Join(folder, "into")); o.Size != 5 || o.URL != "s3://inbox/books/a.txt" {
		t.Errorf("get %+v", o)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "into/a.txt")); string(text) != "first" {
		t.Errorf("the file has %q, %v", text, err)
	}
	if names := tree(t, filepath.Join(folder, "into")); len(names) != 2 {
		t.Errorf("left behind: %q", names)
	}
}

// submit gives the same bytes as run.
func TestSubmitGivesWhatRunGives(t *testing.T) {
	t.Parallel()
	text := sampleText(t, 100<<10, 3)
	s := serve(t, false, nil)
	s.put("s3://inbox/books/a.txt", text)
	id := s.submit("-r", "3")
	s.must("status", id, "--watch")
	folder := writeFiles(t, map[string]string{"a.txt": text})
	var want strings.Builder
	for _, p := range mustRun(t, filepath.Join(folder, "out"), "wordcount", "-i", filepath.Join(folder, "a.txt"), "-r", "3") {
		want.Write(p.data)
	}
	if got := s.must("results", id); got != want.String() {
		t.Errorf("%d bytes, but run made %d", len(got), want.Len())
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	id := s.submit("--idempotency-key", "k")
	if again := s.submit("--idempotency-key", "k"); again != id {
		t.Errorf("the jobs are %s and %s", id, again)
	}
	var submitted api.Submitted
	s.json(&submitted, "submit", "wordcount", "-i", "s3://inbox/x", "-o", "s3://outbox/y")
	if string(submitted.ID) == id || submitted.State != job.Submitted {
		t.Errorf("submitted %+v", submitted)
	}
	checkComplaint(t, s.command("submit", "grep", "-p", "pattern=x", "-i", "s3://inbox/x", "-o", "s3://outbox/y", "--idempotency-key", "k"), "new --idempotency-key")
}

func TestCancelJobs(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	one, other := s.submit(), s.submit()
	if out := s.must("cancel", one, other); out != one+"  CANCELLED\n"+other+"  CANCELLED\n" {
		t.Errorf("cancel: %s", out)
	}
	third := s.submit()
	r := s.command("cancel", "nope", third)
	if r.code != exitFailed || r.stdout != third+"  CANCELLED\n" {
		t.Errorf("exit code %d, %s", r.code, r.stdout)
	}
	wants(t, r.stderr, `^bucketmill: nope: .*"bucketmill list" shows the jobs`)
	var j api.Job
	if s.json(&j, "cancel", third); j.State != job.Cancelled {
		t.Errorf("cancelled %+v", j)
	}
	wants(t, s.must("status", third), `state +CANCELLED.*\n(.*\n)*\nThe job was ended: cancelled by anonymous\n`)
	r = s.command("status", third, "--watch")
	if r.code != exitInterrupted {
		t.Errorf("watching a cancelled job: exit code %d", r.code)
	}
	wants(t, r.stderr, `bucketmill: job `+third+`: cancelled by anonymous\n$`)
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	id := s.submit()
	wants(t, command(t.Context(), "__complete", "status", "--server", s.url, "").stdout, `^last\tthe newest job\n`+id+`\twc, SUBMITTED\n`)
	if r := command(t.Context(), "completion", "bash"); r.code != exitDone || !strings.Contains(r.stdout, "bucketmill") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}
