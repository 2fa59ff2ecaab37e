package main

import (
	"strings"
	"testing"
)

// A deleted job is forgotten, also when its id is abbreviated, and its output stays.
func TestDeleteJobs(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/books/a.txt", "to be or not to be\n")
	id := s.submit()
	wants(t, id, `^[0-7][0-9a-z]{25}$`)
	s.must("status", id, "--watch")
	short := id[:24]
	wants(t, s.must("status", short), `^job +`+id+`  wc\nstate +COMPLETED`)
	wants(t, s.must("status", short, "--watch"), `^job +`+id+`  wc  COMPLETED`)
	if results := s.must("results", short); strings.Count(results, "\n") != 4 {
		t.Errorf("results %q", results)
	}
	r := s.command("delete", "nosuchjob", short)
	if r.code != exitFailed || r.stdout != "" {
		t.Errorf("exit code %d\n%s", r.code, r.stdout)
	}
	wants(t, r.stderr, `^bucketmill: nosuchjob: .*no such job .*\n$`)
	if r := s.command("status", id); r.code != exitFailed {
		t.Errorf("it is still known: %s", r.stdout)
	}
	wants(t, s.must("ls", "s3://outbox/wc/"), `_SUCCESS`)

	first, second := s.submit("--overwrite"), s.submit("-o", "s3://outbox/other")
	s.must("status", first, "--watch")
	s.must("status", second, "--watch")
	r = s.command("status", first[:4])
	if r.code != exitUsage {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, r.stderr, first+`, `+second)
	s.must("delete", first, second)
	if out := s.must("list"); out != "" {
		t.Error(out)
	}
}

// A job that has not ended can't be deleted.
func TestDeleteOfARunningJob(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	id := s.submit()
	r := s.command("delete", id)
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, r.stderr, `is SUBMITTED \("bucketmill cancel" stops it\)`)
	if r := s.command("delete"); r.code != exitUsage {
		t.Errorf("exit code %d", r.code)
	}
}

func TestLimitsOfAServer(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{
		{"--max-jobs", "-1"}, {"--max-streams", "0"}, {"--max-priority", "1001"}, {"--max-tasks", "-1"},
	} {
		r := command(t.Context(), append([]string{"controller", "--store", "s3://b", "--listen", "127.0.0.1:0"}, flags...)...)
		if r.code != exitUsage {
			t.Errorf("%q: exit code %d\n%s", flags, r.code, r.stderr)
		}
		wants(t, r.stderr, flags[0]+` `+flags[1])
	}
}
