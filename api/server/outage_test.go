package server_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/state/embedded"
)

// reply is an error that Redis answers.
type reply string

func (e reply) Error() string { return string(e) }
func (e reply) RedisError()   {}

// refusing makes a client's calls fail with the error in it, if there is one.
type refusing struct{ answer atomic.Value }

func (r *refusing) err() error {
	if err, _ := r.answer.Load().(reply); err != "" {
		return err
	}
	return nil
}

func (r *refusing) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *refusing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := r.err(); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (r *refusing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := r.err(); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}

// While Redis is full, loads its data or has become a replica, every route that needs Redis asks
// clients to try again.
func TestRedisDoesNothing(t *testing.T) {
	hook := new(refusing)
	s := serve(t, func(c *server.Config) {
		server, err := embedded.Start()
		must(t, err)
		t.Cleanup(server.Close)
		options, err := redis.ParseURL(server.URL())
		must(t, err)
		client := redis.NewClient(options)
		client.AddHook(hook)
		c.Store = state.New(client, state.DefaultNamespace)
		t.Cleanup(func() { must(t, c.Store.Close()) })
		c.Retry = func(ctx context.Context, id job.ID) error { return c.Store.Retry(ctx, id, state.AnyStage) }
	})
	id := "/v1/jobs/" + string(s.submit(wordcount))
	for _, answer := range []reply{
		"OOM command not allowed when used memory > 'maxmemory'.",
		"LOADING Redis is loading the dataset in memory",
		"READONLY You can't write against a read only replica.",
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
		"NOREPLICAS Not enough good replicas to write.",
		"CLUSTERDOWN The cluster is down",
		"BUSY Redis is busy running a script.",
		"ERR max number of clients reached",
	} {
		hook.answer.Store(answer)
		for _, r := range [][3]string{
			{"POST", "/v1/jobs", wordcount},
			{"GET", "/v1/jobs"},
			{"GET", id},
			{"POST", id + "/cancel"},
			{"POST", id + "/retry"},
			{"GET", id + "/counters"},
			{"GET", id + "/events"},
			{"GET", id + "/results"},
			{"GET", id + "/tasks"},
			{"GET", "/v1/active"},
			{"GET", "/v1/executors"},
		} {
			code := api.CodeStateUnavailable
			if strings.HasPrefix(string(answer), "OOM") {
				code = api.CodeStateFull
			}
			a := s.refused(code, r[0], r[1], r[2])
			if p := a.problem(t); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(p.Detail, strings.TrimPrefix(string(answer), "ERR ")) {
				t.Errorf("%s %s: %d %v %s", r[0], r[1], a.status, a.header, a.body)
			}
		}
		hook.answer.Store(reply(""))
	}
	if a := s.ask("GET", id, ""); a.status != http.StatusOK {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
	hook.answer.Store(reply("ERR Error running script: @user_script:7: attempt to index a nil value"))
	s.refused(api.CodeInternal, "POST", id+"/cancel", "")
	hook.answer.Store(reply(""))
}
