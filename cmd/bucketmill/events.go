package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

func newEventsCommand() *cobra.Command {
	var (
		follow bool
		after  string
	)
	cmd := jobCommand(&cobra.Command{
		Use:   "events JOB",
		Short: "Show what has happened to a job",
		Long: `Events shows what has happened to a job, one line for each event (with --json: a JSON object). With
--follow it continues until nothing more can happen; a failed job can be retried for a while.`,
		Args: exactArgs(1, "one job: an id, or last"),
	}, func(ctx context.Context, s *session, args []string) error {
		id, err := s.jobNamed(ctx, args[0])
		if err != nil {
			return err
		}
		events := s.pastEvents(ctx, id, after)
		if follow {
			if _, err := s.Job(ctx, id); err != nil {
				return err
			}
			events = s.Knowing(s.reportWaiting(s.err, id)).Events(ctx, id, after)
		}
		for e, err := range events {
			if err != nil {
				return err
			}
			if err := s.printEvent(e); err != nil {
				return err
			}
		}
		return nil
	})
	fs := cmd.Flags()
	fs.BoolVarP(&follow, "follow", "f", false, "wait for more events")
	fs.StringVar(&after, "after", "", "id of an event (see --json); show only later events")
	return cmd
}

// silenceEnds is the time without an event after which a stream has sent all past events.
const silenceEnds = time.Second

// pastEvents yields the past events. The stream sends them at once; then it sends the progress of a
// job that runs, and then new events.
func (s *session) pastEvents(ctx context.Context, id job.ID, after string) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		streaming, cancel := context.WithCancel(ctx)
		defer cancel()
		var silence *time.Timer
		for e, err := range s.Events(streaming, id, after) {
			if streaming.Err() != nil && ctx.Err() == nil {
				return // the silence has ended the stream
			}
			if err == nil && e.Type == api.EventProgress {
				return
			}
			if !yield(e, err) {
				return
			}
			if silence == nil {
				silence = time.AfterFunc(silenceEnds, cancel)
				defer silence.Stop()
			}
			silence.Reset(silenceEnds)
		}
	}
}

// printEvent prints an event on one line.
func (s *session) printEvent(e api.Event) error {
	if s.json {
		return s.printJSON(e)
	}
	words := []string{clock(e.At), strings.ReplaceAll(e.Type, "_", " ")}
	switch {
	case e.Progress != nil:
		words = append(words, "map", fraction(e.Progress.Map), "reduce", fraction(e.Progress.Reduce))
	case e.State != "" || e.Phase != "":
		words = append(words, string(e.State)+string(e.Phase))
	}
	if f := e.Failure; f != nil {
		words = append(words, f.Attempt, string(f.Class))
		if f.Executor != "" {
			words = append(words, "on", string(f.Executor))
		}
		words = append(words, oneLine(f.Message))
	}
	_, err := fmt.Fprintln(s.out, oneLine(strings.Join(words, "  ")))
	return err
}
