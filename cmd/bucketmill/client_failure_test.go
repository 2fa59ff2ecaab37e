package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

const failingPython = `
import os, sys, time

def map_fn(key, value):
    in_order(value); print("looking at", value, file=sys.stderr)
    if "bad" in value:
        raise ValueError("no such word")
    yield value, 1

def reduce_fn(key, values):
    yield key, sum(values)

def in_order(value):
    if "bad" not in value:
        open(PARAMS["gate"], "w").close()
    while not os.path.exists(PARAMS["gate"]):
        time.sleep(0.01)
`

// submit --wait and status print everything that is known about a failure, and a retry keeps what
// was done.
func TestFailureAnalysis(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/books/a.txt", "good enough\n")
	s.put("s3://inbox/books/b.txt", "a bad day\n")
	program := filepath.Join(writeFiles(t, map[string]string{"words.py": failingPython}), "words.py")
	r := s.command("submit", program, "-i", "s3://inbox/books/*.txt", "-o", "s3://outbox/wc", "-r", "1", "--split-size", "12", "--wait", "-p", "gate="+t.TempDir()+"/gate")
	if r.code != exitFailed || r.stdout != "" {
		t.Errorf("exit code %d: %s", r.code, r.stdout)
	}
	id := strings.Fields(r.stderr)[1]
	analysis := `  task:     map 1, given up after 2 failed attempts
  attempts:
    m1\.1 +hand +[\d:.]+ +user +as above
    m1\.2 +hand +[\d:.]+ +user +as above
  record:
    .*a bad day.*
  traceback:
(    .*\n)+  last lines of the program's log:
    looking at a bad day
  what to do:
    The program or its input is at fault.*
    "bucketmill logs ` + id + ` m1\.2" shows .*
Nothing was written to s3://outbox/wc\.
$`
	wants(t, r.stderr, `(?m)^bucketmill: job failed: .*no such word.*\n`+analysis)
	wants(t, s.must("status", id), `(?m)^state +FAILED \(may be retried\)\n(.*\n)+The job failed: .*no such word.*\n`+analysis)
	wants(t, s.must("tasks", id), `\nm1 +stopped +2 +hand +0% .*no such word`)
	wants(t, s.must("events", id), `attempt failed m1\.1 user on hand .*no such word(.*\n)+.* kept\n$`)

	const bad = `looking at a bad day
Traceback \(most recent call last\):
  File "words\.py", line 7, in map_fn
    raise .*
ValueError: no such word
\[the attempt failed: words\.py:7: map_fn raised ValueError: no such word .*\]
`
	wants(t, s.must("logs", id, "m1.2"), "^"+bad+"$")
	wants(t, s.must("logs", id), "^==> m0.1 <==\nlooking at good enough\n==> m1.1 <==\n"+bad+"==> m1.2 <==\n"+bad+"$")
	if log := s.must("logs", id, "m0", "--json"); log != `{"attempt":"m0.1","text":"looking at good enough"}`+"\n" {
		t.Errorf("logs as JSON %q", log)
	}
	checkComplaint(t, s.command("logs", id, "m7"), `no task m7`)
	checkComplaint(t, s.command("logs", id, "m1.9"), `m1\.9`)

	wants(t, s.must("retry", id), `^`+id+`  [A-Z]+\n$`)
	r = s.command("status", "last", "--watch", "--json")
	if r.code != exitFailed || !strings.HasPrefix(r.stdout, `{"id":"`+id+`"`) {
		t.Errorf("exit code %d: %s", r.code, r.stdout)
	}
	wants(t, r.stderr, `given up after \d failed attempts`)
	wants(t, s.must("events", id), ` retry\n`)
}

func TestRemedies(t *testing.T) {
	kept := api.Job{ID: "j", State: job.Failed, Phase: job.PhaseKept}
	kept.Progress.Map = job.Progress{Total: 3, Done: 2}
	ended := kept
	ended.Phase = job.PhaseEnded
	const again = `"bucketmill retry j" continues where it stopped, with 2 of 3 map tasks done.`
	for class, hint := range map[job.Class]string{
		job.ClassInfra: "store, the network", job.ClassLost: "memory", job.ClassSegment: "lifecycle", job.ClassJob: "reason",
	} {
		text := remedy(kept, api.Failure{Class: class})
		if !strings.Contains(text, hint) || !strings.HasSuffix(text, again) {
			t.Errorf("%s: %s", class, text)
		}
		if text := remedy(ended, api.Failure{Class: class}); !strings.Contains(text, hint) || !strings.HasSuffix(text, "submit the job again.") {
			t.Errorf("%s, ended: %s", class, text)
		}
	}
}

// interrupter acts like a user who presses Ctrl-C after the job was submitted.
type interrupter struct {
	bytes.Buffer
	interrupt context.CancelFunc
}

func (i *interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("submitted")) {
		i.interrupt()
	}
	return i.Buffer.Write(p)
}

func TestInterruptedWait(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	for _, c := range []struct {
		name, flag string
		state      job.State
		says       string
	}{
		{"continues", "--wait", job.Submitted, `\nbucketmill: interrupted; job \S+ continues\. Watch it with "bucketmill status \S+ --watch", or stop it with "bucketmill cancel \S+"\.\n$`},
		{"is cancelled", "--cancel-on-interrupt", job.Cancelled, `\nbucketmill: interrupted; job \S+ was cancelled\n$`},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var stdout bytes.Buffer
			stderr := &interrupter{interrupt: cancel}
			code := run(ctx, []string{"submit", "wordcount", "-i", "s3://inbox/a", "-o", "s3://outbox/" + string(c.state), "--wait", c.flag, "--server", s.url}, &stdout, stderr)
			if code != exitInterrupted || stdout.Len() > 0 {
				t.Errorf("exit code %d: %s", code, stdout.String())
			}
			wants(t, stderr.String(), c.says)
			var job api.Job
			if s.json(&job, "status", "last"); job.State != c.state {
				t.Errorf("the job is %s", job.State)
			}
		})
	}
}
