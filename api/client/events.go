package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

const (
	// silence is how long a stream may be silent before it is closed. By default, servers send a
	// sign of life four times as often.
	silence = time.Minute
	// patience is how long Events tries to reconnect.
	patience = 2 * time.Minute
	// maxEvent is the longest line of the stream, in bytes; a failure has a few KiB.
	maxEvent = 1 << 20
)

// Events yields the events of a job after the event with that id ("" for all) until the job has
// ended. If a connection breaks it continues on another; every event except progress comes exactly
// once.
func (c *Client) Events(ctx context.Context, id job.ID, after string) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		lastSign, told := time.Now(), false
		alive := func() { lastSign = time.Now() }
		for failures := 1; ; failures++ {
			var done bool
			err := c.stream(ctx, id, after, alive, func(e api.Event) bool {
				failures, told = 0, false
				if e.ID != "" {
					after = e.ID
				}
				done = !yield(e, nil) || e.Type == api.EventEnded
				return !done
			})
			if done {
				return
			}
			returns := c.mayReturn(err, lastSign)
			if err != nil && !returns && !comesBack(ctx, err, lastSign) {
				yield(api.Event{}, err)
				return
			}
			if returns && !told {
				told = true
				c.known.waits(err)
			}
			// A stream that ends cleanly before its job belongs to a server that is stopping.
			if err := sleep(ctx, pauseAfter(err, max(failures, 1))); err != nil {
				yield(api.Event{}, err)
				return
			}
		}
	}
}

// comesBack reports whether to reconnect after a stream broke.
func comesBack(ctx context.Context, err error, lastSign time.Time) bool {
	var p *api.Problem
	if errors.As(err, &p) && !passing(err) {
		return false
	}
	return ctx.Err() == nil && time.Since(lastSign) <= patience
}

// stream reads the events of one connection until it ends or take returns false. It calls alive for
// every sign of life.
func (c *Client) stream(ctx context.Context, id job.ID, after string, alive func(), take func(api.Event) bool) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := request{method: http.MethodGet, path: jobPath(id, "/events"), header: http.Header{}, once: true}
	r.header.Set("Accept", "text/event-stream")
	if after != "" {
		r.header.Set("Last-Event-ID", after)
	}
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode == http.StatusNoContent { // no event follows
		take(api.Event{Type: api.EventEnded})
		return nil
	}
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	return readEvents(resp.Body, func() {
		watchdog.Reset(silence)
		alive()
	}, take)
}

// readEvents reads server-sent events. It calls alive for every line.
func readEvents(r io.Reader, alive func(), take func(api.Event) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	var data strings.Builder
	for lines.Scan() {
		alive()
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "data:"); ok {
			data.WriteString(strings.TrimPrefix(rest, " "))
			continue
		}
		if line != "" || data.Len() == 0 {
			continue // the data also has the id and the type
		}
		var e api.Event
		if err := json.Unmarshal([]byte(data.String()), &e); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		data.Reset()
		if !take(e) {
			return nil
		}
	}
	return lines.Err()
}
