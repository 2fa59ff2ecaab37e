package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/controller/webhook"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// notices makes a controller call webhooks as cfg says.
func notices(cfg webhook.Config) func(*controller.Config) {
	return func(c *controller.Config) {
		cfg.Log = slog.New(slog.DiscardHandler)
		sender := webhook.New(cfg)
		c.Notify = func(ctx context.Context, job state.Job, spec job.Spec, counters map[string]int64) error {
			return sender.Send(ctx, spec.Webhook, webhook.NoticeOf(job, spec, counters))
		}
	}
}

// hooked is the spec wordcount with a webhook.
func hooked(url string) string { return strings.Replace(wordcount, "{", `{"webhook":"`+url+`",`, 1) }

func TestWebhookIsToldOfTheEnd(t *testing.T) {
	got := make(chan webhook.Notice, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n webhook.Notice
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || !strings.HasPrefix(r.Header.Get(webhook.HeaderDelivery), string(n.ID)+"/COMPLETED/") {
			t.Errorf("%v, %v", r.Header, err)
		}
		got <- n
	}))
	t.Cleanup(receiver.Close)
	s := serve(t, nil)
	s.control(notices(webhook.Config{AllowPrivate: true}))
	s.execute()
	s.put("s3://inbox/books/a.txt", "to be or not to be\n")
	id := s.submit(hooked(receiver.URL))
	follow(t, s.client(""), id, "")
	if len(got) != 1 {
		t.Fatalf("%d deliveries before the end, want 1; log:\n%s", len(got), s.log)
	}
	n := <-got
	if n.ID != id || n.Name != "wc" || n.State != job.Completed || n.Output != "s3://outbox/wc" || n.Error != nil ||
		n.Times.Submitted == nil || n.Times.Ended == nil || len(n.Counters) == 0 {
		t.Errorf("notice %+v", n)
	}
}

func TestWebhookThatIsForbiddenIsNotedAndTheJobEnds(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("was called") }))
	t.Cleanup(receiver.Close)
	s := serve(t, nil)
	s.control(notices(webhook.Config{}))
	s.execute()
	s.put("s3://inbox/books/a.txt", "to be or not to be\n")
	id := s.submit(hooked(receiver.URL))
	events := follow(t, s.client(""), id, "")
	i := slices.IndexFunc(events, func(e api.Event) bool { return e.Type == api.EventWebhookFailed })
	if i < 0 || events[i].Failure == nil || !strings.HasSuffix(events[i].Failure.Message, webhook.ErrForbidden.Error()) {
		t.Errorf("events %+v", events)
	}
	if j, err := s.store.Job(t.Context(), id); err != nil || j.State != job.Completed || j.Phase != job.PhaseEnded {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestEveryFailureOfAKeptJobIsToldOnce(t *testing.T) {
	told := make(chan job.State, 8)
	s := serve(t, nil)
	boss := s.control(func(c *controller.Config) {
		c.KeepFailed = time.Hour
		c.Notify = func(_ context.Context, job state.Job, _ job.Spec, _ map[string]int64) error {
			told <- job.State
			return errors.New("not at home")
		}
	})
	s.put("s3://inbox/books/a.txt", "to be or not to be\n")
	id := s.submit(hooked("https://example.com"))
	c := s.client("")
	after := followTo(t, c, id, "", func(e api.Event) bool { return e.Phase == job.PhaseMap })
	for range 2 {
		must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Failed, job.Failure{Class: job.ClassJob, Message: "no"}))
		after = followTo(t, c, id, after, func(e api.Event) bool { return e.Type == "kept" })
		must(t, boss.Retry(t.Context(), id))
	}
	must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Failed, job.Failure{Class: job.ClassJob, Message: "no"}))
	followTo(t, c, id, after, func(e api.Event) bool { return e.Type == "kept" })
	must(t, s.store.Discard(t.Context(), id, state.AnyStage))
	follow(t, c, id, "")
	if len(told) != 3 {
		t.Errorf("told %d times of 3 failures", len(told))
	}
}

// followTo follows a job to the first such event after the one with id after, and returns its id.
func followTo(t *testing.T, c *client.Client, id job.ID, after string, found func(api.Event) bool) string {
	t.Helper()
	for e, err := range c.Events(t.Context(), id, after) {
		must(t, err)
		if found(e) {
			return e.ID
		}
	}
	t.Fatal("the job ended first")
	return ""
}
