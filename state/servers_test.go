package state

import (
	"cmp"
	"context"
	"crypto/rand"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state/embedded"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// onServers runs a test on every server on which state runs: Redis, the embedded one, and Valkey if
// it is installed.
func onServers(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("redis", func(t *testing.T) { test(t, open(t, testservices.Redis(t).Addr)) })
	t.Run("embedded", func(t *testing.T) {
		e, err := embedded.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		test(t, openAt(t, e.URL()))
	})
	if path, err := exec.LookPath("valkey-server"); err == nil {
		t.Run("valkey", func(t *testing.T) {
			t.Setenv("BUCKETMILL_REDIS_SERVER", path)
			test(t, open(t, testservices.NewRedis(t).Addr))
		})
	}
}

// open returns a store of its own for a test, on a shared server.
func open(t testing.TB, addr string) *Store {
	t.Helper()
	return openAt(t, "redis://"+addr)
}

func openAt(t testing.TB, url string) *Store {
	t.Helper()
	opts, err := redis.ParseURL(url)
	must(t, err)
	rdb := redis.NewClient(opts)
	s := New(rdb, "test-"+rand.Text())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// dump returns everything in the store, in Redis's format, and whether each key expires.
func dump(t testing.TB, s *Store) map[string]string {
	t.Helper()
	content := map[string]string{}
	for _, key := range keys(t, s) {
		content[key] = read(t, s, key)
	}
	return content
}

func keys(t testing.TB, s *Store) []string {
	t.Helper()
	var all []string
	for it := s.rdb.Scan(t.Context(), 0, s.namespace+":*", 10_000).Iterator(); it.Next(t.Context()); {
		all = append(all, it.Val())
	}
	slices.Sort(all)
	return all
}

// readScript returns a key's type, whether it expires, and its content.
var readScript = redis.NewScript(`
local function list(reply)
  local parts = {}
  for _, part in ipairs(reply) do parts[#parts + 1] = type(part) == 'table' and list(part) or tostring(part) end
  return table.concat(parts, '|')
end
local kind = redis.call('TYPE', KEYS[1])['ok']
local reads = {string = {'GET'}, hash = {'HGETALL'}, list = {'LRANGE', 0, -1}, set = {'SMEMBERS'},
  zset = {'ZRANGE', 0, -1, 'WITHSCORES'}, stream = {'XLEN'}}
local read = reads[kind]
if not read then return 'none' end
local reply = redis.call(read[1], KEYS[1], unpack(read, 2))
return kind .. (redis.call('PTTL', KEYS[1]) >= 0 and ' expires ' or ' stays ') ..
  (type(reply) == 'table' and list(reply) or tostring(reply))`)

func read(t testing.TB, s *Store, key string) string {
	t.Helper()
	text, err := readScript.Run(t.Context(), s.rdb, []string{key}).Text()
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return text
}

// sameState compares two dumps; if hints may differ, it ignores the hints for executors and
// controllers.
func sameState(t testing.TB, s *Store, before, after map[string]string, hints bool) {
	t.Helper()
	for _, content := range []map[string]string{before, after} {
		for key := range content {
			if hints && slices.Contains([]string{s.readyKey(), s.wakeKey(), s.controlKey(), s.newsKey()}, key) {
				continue
			}
			if before[key] != after[key] {
				t.Errorf("%s changed:\n  from %q\n    to %q", key, before[key], after[key])
			}
		}
	}
}

const lease = 30 * time.Second

// started submits a job and ends its planning.
func started(t testing.TB, s *Store, id job.ID, maps, reduces int) {
	t.Helper()
	must(t, errOf(s.Submit(t.Context(), id, "test", 0, []byte(`{}`))))
	must(t, s.Start(t.Context(), id, Outline{Maps: maps, Reduces: reduces}))
}

// claim has executor claim n tasks, and returns them in the order of their names.
func claim(t testing.TB, s *Store, executor job.ExecutorID, n int) []job.AttemptID {
	t.Helper()
	claims, err := s.Claim(t.Context(), executor, n, lease)
	if err != nil {
		t.Fatal(err)
	}
	if len(claims) != n {
		t.Fatalf("%s claimed %v, wanted %d", executor, claims, n)
	}
	attempts := make([]job.AttemptID, n)
	for i, c := range claims {
		attempts[i] = c.Attempt
	}
	slices.SortFunc(attempts, func(a, b job.AttemptID) int { return cmp.Compare(a.Task.Index, b.Task.Index) })
	return attempts
}

func commit(t testing.TB, s *Store, executor job.ExecutorID, attempts ...job.AttemptID) {
	t.Helper()
	for _, a := range attempts {
		must(t, s.Commit(t.Context(), known(t, s, a), executor, []byte("manifest of "+a.Name()), map[string]int64{"tasks": 1}))
	}
}

// known completes the id of an attempt that runs or has won, as a claim returns it.
func known(t testing.TB, s *Store, a job.AttemptID) job.AttemptID {
	t.Helper()
	if a.Claimed != 0 {
		return a
	}
	running, err := s.Running(t.Context(), a.Job)
	must(t, err)
	for _, r := range running {
		if r.Attempt.Name() == a.Name() {
			return r.Attempt
		}
	}
	if won, ok, err := s.Winner(t.Context(), a.Job, a.Task); err == nil && ok && won.Attempt.Number == a.Number {
		return won.Attempt
	}
	return a
}

// expire makes an attempt's lease expire now.
func expire(t testing.TB, s *Store, a job.AttemptID) {
	t.Helper()
	must(t, s.rdb.Del(t.Context(), s.jobKey(a.Job)+":lease:"+a.Name()).Err())
}

func inPhase(t testing.TB, s *Store, id job.ID, want job.Phase) Job {
	t.Helper()
	job, err := s.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if job.Phase != want {
		t.Fatalf("%s is in phase %s, wanted %s (error: %+v)", id, job.Phase, want, job.Error)
	}
	return job
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// errOf returns the error of a submission.
func errOf(_ bool, err error) error { return err }

// until asks repeatedly, without pause, until the answer is yes.
func until(t testing.TB, what string, ask func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !ask(ctx) {
		if ctx.Err() != nil {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
