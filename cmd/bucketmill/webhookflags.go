package main

import (
	"context"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/controller/webhook"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// webhookFlags are the settings of the webhooks that report the end of a job.
type webhookFlags struct {
	secret       string
	allowPrivate bool
}

func (f *webhookFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.secret, "webhook-secret", "", "key that signs the bodies of webhooks (prefer BUCKETMILL_WEBHOOK_SECRET, which other users of this machine can't see)")
	fs.BoolVar(&f.allowPrivate, "webhook-allow-private", false, "allow webhooks to addresses that are not public: this machine, the local network, the cloud's metadata")
}

// notify returns the function with which a controller calls webhooks.
func (f *webhookFlags) notify(log *slog.Logger) func(context.Context, state.Job, job.Spec, map[string]int64) error {
	sender := webhook.New(webhook.Config{Secret: f.secret, AllowPrivate: f.allowPrivate, Log: log})
	return func(ctx context.Context, job state.Job, spec job.Spec, counters map[string]int64) error {
		return sender.Send(ctx, spec.Webhook, webhook.NoticeOf(job, spec, counters))
	}
}
