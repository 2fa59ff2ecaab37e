package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// Job returns a job's record, or ErrNoJob.
func (s *Store) Job(ctx context.Context, id job.ID) (Job, error) {
	var fields *redis.MapStringStringCmd
	var running *redis.StringSliceCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		fields = p.HGetAll(ctx, s.jobKey(id))
		running = p.HKeys(ctx, s.runKey(id))
		return nil
	})
	if err != nil {
		return Job{}, fmt.Errorf("read job %s: %w", id, err)
	}
	if len(fields.Val()) == 0 {
		return Job{}, fmt.Errorf("read job %s: %w", id, ErrNoJob)
	}
	if _, noted := fields.Val()["program"]; !noted { // submitted by an earlier version
		fields.Val()["program"], fields.Val()["output"] = headline([]byte(fields.Val()["spec"]))
	}
	job, err := decodeJob(id, fields.Val(), running.Val())
	if err != nil {
		return Job{}, fmt.Errorf("read job %s: %w", id, err)
	}
	return job, nil
}

// decodeJob decodes a job's record and the names of its running attempts.
func decodeJob(id job.ID, fields map[string]string, running []string) (Job, error) {
	r := &record{what: "job " + string(id), fields: fields}
	j := Job{
		ID: id, Name: fields["name"], Priority: int(r.signed("priority")),
		Spec: json.RawMessage(fields["spec"]), Plan: fields["plan"], SubmittedBy: fields["by"],
		Program: fields["program"], Output: fields["output"],
		State: job.State(fields["state"]), Phase: job.Phase(fields["phase"]), Stage: Stage(r.number("stage")), Epoch: r.count("epoch"),
		Born: r.number("born"), Restored: fields["restored"] != "",
		Map:           r.progress("maps", "map"),
		Reduce:        r.progress("reduces", "red"),
		Submitted:     r.time("submitted"),
		Planned:       r.time("mapat"),
		MapsDone:      r.time("reduceat"),
		PublishedFrom: r.time("publishat"),
		Ended:         r.time("ended"),
		KeptUntil:     r.time("keptuntil"),
	}
	if !j.Phase.Known() {
		r.fail("phase", fmt.Errorf("is %.40q", j.Phase))
	}
	if !j.State.Known() {
		r.fail("state", fmt.Errorf("is %.40q", j.State))
	}
	for _, name := range running {
		a, err := job.ParseAttempt(id, name)
		switch {
		case err != nil:
			r.fail("a running attempt", err)
		case a.Task.Side == job.Map:
			j.Map.Running++
		default:
			j.Reduce.Running++
		}
	}
	for name := range strings.FieldsSeq(fields["recovered"]) {
		task, err := job.ParseTask(name)
		if err != nil {
			r.fail("recovered", err)
		}
		j.Recovered = append(j.Recovered, task)
	}
	if text := fields["error"]; text != "" {
		j.Error = new(job.Failure)
		if err := json.Unmarshal([]byte(text), j.Error); err != nil {
			r.fail("error", err)
		}
	}
	return j, r.err
}

// progress reads the counts of a side, whose fields begin with prefix.
func (r *record) progress(total, prefix string) job.Progress {
	p := job.Progress{
		Total: r.count(total), Done: r.count(prefix + "done"), Failed: r.count(prefix + "fail"), Claimed: r.count(prefix + "next"),
		Lost: r.count(prefix + "lost"), Backups: r.count(prefix + "backups"),
		Spent: time.Duration(r.signed(prefix+"spent")) * time.Millisecond,
	}
	p.Attempts = max(r.count(prefix+"claims"), p.Claimed) // a job that an earlier version began has not counted all attempts
	return p
}

// Stage returns a job's stage and phase, or ErrNoJob. It reads less than Job.
func (s *Store) Stage(ctx context.Context, id job.ID) (Stage, job.Phase, error) {
	fields, err := s.rdb.HMGet(ctx, s.jobKey(id), "stage", "phase").Result()
	if err != nil {
		return 0, "", fmt.Errorf("read the stage of %s: %w", id, err)
	}
	if fields[0] == nil && fields[1] == nil {
		return 0, "", fmt.Errorf("read the stage of %s: %w", id, ErrNoJob)
	}
	stage, _ := fields[0].(string)
	phase, _ := fields[1].(string)
	r := &record{what: "job " + string(id), fields: map[string]string{"stage": stage}}
	n := r.number("stage")
	if !job.Phase(phase).Known() {
		r.fail("phase", fmt.Errorf("is %.40q", phase))
	}
	return Stage(n), job.Phase(phase), r.err
}

// Phase returns a job's phase, or ErrNoJob.
func (s *Store) Phase(ctx context.Context, id job.ID) (job.Phase, error) {
	phase, err := s.rdb.HGet(ctx, s.jobKey(id), "phase").Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "", fmt.Errorf("read the phase of %s: %w", id, ErrNoJob)
	case err != nil:
		return "", fmt.Errorf("read the phase of %s: %w", id, err)
	case !job.Phase(phase).Known():
		return "", fmt.Errorf("read the phase of %s: %w: it is %.40q", id, ErrMalformed, phase)
	}
	return job.Phase(phase), nil
}

// History returns up to count jobs, newest first, after skipping offset of them. It leaves out
// those whose record is gone; see Expired.
func (s *Store) History(ctx context.Context, offset, count int) ([]job.ID, error) {
	ids, err := s.rdb.ZRevRange(ctx, s.jobsKey(), int64(offset), int64(offset+count-1)).Result()
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	known := make([]*redis.IntCmd, len(ids))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			known[i] = p.Exists(ctx, s.jobKey(job.ID(id)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	jobs := make([]job.ID, 0, len(ids))
	for i, id := range ids {
		if known[i].Val() == 1 {
			jobs = append(jobs, job.ID(id))
		}
	}
	return jobs, nil
}

// Running is a running attempt.
type Running struct {
	Attempt    job.AttemptID
	Executor   job.ExecutorID
	Started    time.Time
	Progressed time.Time // when it last made progress
	Progress   int       // in thousandths
}

// Running returns a job's running attempts, in no order.
func (s *Store) Running(ctx context.Context, id job.ID) ([]Running, error) {
	entries, err := s.rdb.HGetAll(ctx, s.runKey(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("list running attempts of %s: %w", id, err)
	}
	var all []Running
	for name, entry := range entries {
		running, err := decodeRunning(id, name, entry)
		if err != nil {
			return nil, fmt.Errorf("list running attempts of %s: %w", id, err)
		}
		all = append(all, running)
	}
	return all, nil
}

// decodeRunning decodes an attempt's "EXECUTOR CLAIMED_MS PERMILLE MOVED_MS".
func decodeRunning(id job.ID, name, entry string) (Running, error) {
	a, err := job.ParseAttempt(id, name)
	if err != nil {
		return Running{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	e := entryOf("the entry of running "+a.String(), entry, 4)
	a.Claimed = e.number(1, 1)
	running := Running{Attempt: a, Executor: job.ExecutorID(e.word(0)), Started: time.UnixMilli(a.Claimed), Progress: int(e.number(2, 0)), Progressed: time.UnixMilli(e.number(3, 0))}
	return running, e.err
}

// Committed is the winning attempt of a task.
type Committed struct {
	Attempt        job.AttemptID
	Executor       job.ExecutorID
	Started, Ended time.Time
	Manifest       []byte
}

// Committed yields the winning attempts of one side, in no order, a page at a time. While attempts
// commit it may miss some of them, but never invents any; an attempt that exists before and after
// is yielded at least once, and rarely twice.
func (s *Store) Committed(ctx context.Context, id job.ID, side job.Side) iter.Seq2[Committed, error] {
	const page = 1000
	return func(yield func(Committed, error) bool) {
		var cursor uint64
		for {
			fields, next, err := s.rdb.HScan(ctx, s.doneKey(id, side), cursor, "", page).Result()
			if err != nil {
				yield(Committed{}, fmt.Errorf("list committed %s tasks of %s: %w", side, id, err))
				return
			}
			for i := 0; i+1 < len(fields); i += 2 {
				c, err := parseCommitted(id, side, fields[i], fields[i+1])
				if !yield(c, err) || err != nil {
					return
				}
			}
			if cursor = next; cursor == 0 {
				return
			}
		}
	}
}

// Winner returns the committed attempt of a task; false if there is none yet.
func (s *Store) Winner(ctx context.Context, id job.ID, task job.TaskID) (Committed, bool, error) {
	index := strconv.Itoa(task.Index)
	entry, err := s.rdb.HGet(ctx, s.doneKey(id, task.Side), index).Result()
	if errors.Is(err, redis.Nil) {
		return Committed{}, false, nil
	}
	if err != nil {
		return Committed{}, false, fmt.Errorf("read the winner of %s/%s: %w", id, task, err)
	}
	c, err := parseCommitted(id, task.Side, index, entry)
	return c, err == nil, err
}

// Void returns the attempts of a job that ended without a commit, oldest first, up to 10,000.
// Everything that they wrote is garbage.
func (s *Store) Void(ctx context.Context, id job.ID) ([]job.AttemptID, error) {
	entries, err := s.rdb.LRange(ctx, s.voidKey(id), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list void attempts of %s: %w", id, err)
	}
	attempts := make([]job.AttemptID, len(entries))
	for i, entry := range entries {
		if attempts[i], err = decodeVoid(id, entry); err != nil {
			return nil, fmt.Errorf("list void attempts of %s: %w", id, err)
		}
	}
	return attempts, nil
}

// decodeVoid decodes "ATTEMPT CLAIMED_MS".
func decodeVoid(id job.ID, entry string) (job.AttemptID, error) {
	e := entryOf("an entry of void attempts", entry, 2)
	a, err := job.ParseAttempt(id, e.word(0))
	if err != nil {
		return job.AttemptID{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	a.Claimed = e.number(1, 1)
	return a, e.err
}

// Repeated reports whether any task of a job was claimed more than once.
func (s *Store) Repeated(ctx context.Context, id job.ID) (bool, error) {
	n, err := s.rdb.Exists(ctx, s.attKey(id)).Result()
	if err != nil {
		return false, fmt.Errorf("read the repeated attempts of %s: %w", id, err)
	}
	return n > 0, nil
}

func parseCommitted(id job.ID, side job.Side, index, entry string) (Committed, error) {
	i, err := number(index, 0)
	if err != nil {
		return Committed{}, fmt.Errorf("%w: the index of a commit record of %s %w", ErrMalformed, id, err)
	}
	e := entryOf(fmt.Sprintf("the commit record of %s/%c%d", id, side, i), entry, 5)
	c := Committed{
		Attempt:  job.AttemptID{Job: id, Task: job.TaskID{Side: side, Index: int(i)}, Number: int(e.number(0, 1)), Claimed: e.number(2, 1)},
		Executor: job.ExecutorID(e.word(1)), Ended: time.UnixMilli(e.number(3, 0)), Manifest: []byte(e.words[4]),
	}
	c.Started = time.UnixMilli(c.Attempt.Claimed)
	if e.err != nil {
		return Committed{}, e.err
	}
	return c, nil
}

// Counters returns the sums over all committed attempts.
func (s *Store) Counters(ctx context.Context, id job.ID) (map[string]int64, error) {
	fields, err := s.rdb.HGetAll(ctx, s.countersKey(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("read counters of %s: %w", id, err)
	}
	counters := make(map[string]int64, len(fields))
	for name, text := range fields {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: counter %s of %s is %.40q", ErrMalformed, name, id, text)
		}
		counters[name] = n
	}
	return counters, nil
}

// Failures returns the newest failures of a job's attempts, oldest first, up to 200.
func (s *Store) Failures(ctx context.Context, id job.ID) ([]job.Failure, error) {
	texts, err := s.rdb.LRange(ctx, s.errorsKey(id), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list failures of %s: %w", id, err)
	}
	failures := make([]job.Failure, len(texts))
	for i, text := range texts {
		if err := json.Unmarshal([]byte(text), &failures[i]); err != nil {
			return nil, fmt.Errorf("%w: a failure of %s: %w", ErrMalformed, id, err)
		}
	}
	return failures, nil
}

// Event is an entry of a job's event stream.
type Event struct {
	ID   string // "MS-SEQ"; increases
	Kind string
	Text string
}

// Events returns the events that follow the one whose id is after ("" or "0": all). It waits up to
// wait if there is none yet.
func (s *Store) Events(ctx context.Context, id job.ID, after string, wait time.Duration) ([]Event, error) {
	if after == "" {
		after = "0"
	}
	streams, err := s.rdb.XRead(ctx, &redis.XReadArgs{
		Streams: []string{s.eventsKey(id), after}, Count: 500, Block: max(wait, time.Millisecond),
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read events of %s: %w", id, err)
	}
	events, err := decodeEvents(streams)
	if err != nil {
		return nil, fmt.Errorf("read events of %s: %w", id, err)
	}
	return events, nil
}

// decodeEvents decodes the entries of a job's stream, the only one in the reply.
func decodeEvents(streams []redis.XStream) (events []Event, err error) {
	for _, stream := range streams {
		for _, m := range stream.Messages {
			kind, there := m.Values["kind"].(string)
			text, said := m.Values["text"].(string)
			if !there || !said {
				return nil, fmt.Errorf("%w: entry %s has the fields %.200s", ErrMalformed, m.ID, fmt.Sprint(m.Values))
			}
			events = append(events, Event{ID: m.ID, Kind: kind, Text: text})
		}
	}
	return events, nil
}
