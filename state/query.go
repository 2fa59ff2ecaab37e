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

	"github.com/redis/go-redis/v9"
)

// Job returns a job's record, or ErrNoJob.
func (s *Store) Job(ctx context.Context, id JobID) (Job, error) {
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
	f := fields.Val()
	if f["phase"] == "" {
		return Job{}, fmt.Errorf("read job %s: %w", id, ErrNoJob)
	}
	job := Job{
		ID: id, Name: f["name"], Priority: atoi(f["priority"]),
		Spec: json.RawMessage(f["spec"]), Plan: f["plan"],
		State: State(f["state"]), Phase: Phase(f["phase"]), Stage: Stage(atoi(f["stage"])), Epoch: atoi(f["epoch"]),
		Born: int64(atoi(f["born"])), Restored: f["restored"] != "",
		Map:           Progress{Total: atoi(f["maps"]), Done: atoi(f["mapdone"]), Failed: atoi(f["mapfail"]), Claimed: atoi(f["mapnext"]), Spent: time.Duration(atoi(f["mapspent"])) * time.Millisecond},
		Reduce:        Progress{Total: atoi(f["reduces"]), Done: atoi(f["reddone"]), Failed: atoi(f["redfail"]), Claimed: atoi(f["rednext"]), Spent: time.Duration(atoi(f["redspent"])) * time.Millisecond},
		Submitted:     millis(f["submitted"]),
		Planned:       millis(f["mapat"]),
		MapsDone:      millis(f["reduceat"]),
		PublishedFrom: millis(f["publishat"]),
		Ended:         millis(f["ended"]),
		KeptUntil:     millis(f["keptuntil"]),
	}
	for _, name := range running.Val() {
		if name[0] == byte(Map) {
			job.Map.Running++
		} else {
			job.Reduce.Running++
		}
	}
	if text := f["error"]; text != "" {
		job.Error = new(Failure)
		if err := json.Unmarshal([]byte(text), job.Error); err != nil {
			return Job{}, fmt.Errorf("read the error of job %s: %w", id, err)
		}
	}
	return job, nil
}

// Stage returns the stage that a job is in, and its phase, or ErrNoJob. It is the cheap part of Job.
func (s *Store) Stage(ctx context.Context, id JobID) (Stage, Phase, error) {
	fields, err := s.rdb.HMGet(ctx, s.jobKey(id), "stage", "phase").Result()
	if err != nil {
		return 0, "", fmt.Errorf("read the stage of %s: %w", id, err)
	}
	stage, _ := fields[0].(string)
	phase, _ := fields[1].(string)
	if phase == "" {
		return 0, "", fmt.Errorf("read the stage of %s: %w", id, ErrNoJob)
	}
	return Stage(atoi(stage)), Phase(phase), nil
}

// History returns the newest jobs first, from offset on, at most count of them. Those whose
// record is gone are left out; see Expired.
func (s *Store) History(ctx context.Context, offset, count int) ([]JobID, error) {
	ids, err := s.rdb.ZRevRange(ctx, s.jobsKey(), int64(offset), int64(offset+count-1)).Result()
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	known := make([]*redis.IntCmd, len(ids))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			known[i] = p.Exists(ctx, s.jobKey(JobID(id)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	jobs := make([]JobID, 0, len(ids))
	for i, id := range ids {
		if known[i].Val() == 1 {
			jobs = append(jobs, JobID(id))
		}
	}
	return jobs, nil
}

// Running is an attempt that runs.
type Running struct {
	Attempt  AttemptID
	Executor ExecutorID
	Started  time.Time
	Moved    time.Time // when it last got on
	Progress int       // in thousandths
}

// Running returns the attempts of a job that run, in no order.
func (s *Store) Running(ctx context.Context, id JobID) ([]Running, error) {
	entries, err := s.rdb.HGetAll(ctx, s.runKey(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("list running attempts of %s: %w", id, err)
	}
	var all []Running
	for name, entry := range entries {
		a, err := ParseAttempt(id, name)
		if err != nil {
			return nil, err
		}
		f := strings.Split(entry, " ")
		if len(f) != 4 {
			return nil, fmt.Errorf("run entry of %s is damaged: %q", a, entry)
		}
		a.Claimed = int64(atoi(f[1]))
		all = append(all, Running{Attempt: a, Executor: ExecutorID(f[0]), Started: millis(f[1]), Progress: atoi(f[2]), Moved: millis(f[3])})
	}
	return all, nil
}

// Committed is the winning attempt of a task.
type Committed struct {
	Attempt        AttemptID
	Executor       ExecutorID
	Started, Ended time.Time
	Manifest       []byte
}

// Committed yields the winning attempts of one side, in no order, a page at a time. While
// attempts commit it may miss, but never invents, some; one that is there before and after is
// yielded at least once, and rarely twice.
func (s *Store) Committed(ctx context.Context, id JobID, side Side) iter.Seq2[Committed, error] {
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

// Winner returns the committed attempt of a task; false while there is none.
func (s *Store) Winner(ctx context.Context, id JobID, task TaskID) (Committed, bool, error) {
	index := strconv.Itoa(task.Index)
	entry, err := s.rdb.HGet(ctx, s.doneKey(id, task.Side), index).Result()
	if errors.Is(err, redis.Nil) {
		return Committed{}, false, nil
	}
	if err != nil {
		return Committed{}, false, fmt.Errorf("look for the winner of %s/%s: %w", id, task, err)
	}
	c, err := parseCommitted(id, task.Side, index, entry)
	return c, err == nil, err
}

// Void returns the attempts of a job that ended without a commit, oldest first, at most 10,000.
// Whatever they have written is garbage.
func (s *Store) Void(ctx context.Context, id JobID) ([]AttemptID, error) {
	entries, err := s.rdb.LRange(ctx, s.voidKey(id), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list void attempts of %s: %w", id, err)
	}
	attempts := make([]AttemptID, len(entries))
	for i, entry := range entries {
		name, claimed, _ := strings.Cut(entry, " ")
		if attempts[i], err = ParseAttempt(id, name); err != nil {
			return nil, err
		}
		attempts[i].Claimed = int64(atoi(claimed))
	}
	return attempts, nil
}

// Repeated tells whether any task of a job was claimed more than once.
func (s *Store) Repeated(ctx context.Context, id JobID) (bool, error) {
	n, err := s.rdb.Exists(ctx, s.attKey(id)).Result()
	if err != nil {
		return false, fmt.Errorf("look for repeated attempts of %s: %w", id, err)
	}
	return n > 0, nil
}

func parseCommitted(id JobID, side Side, index, entry string) (Committed, error) {
	f := strings.SplitN(entry, " ", 5)
	i, err := strconv.Atoi(index)
	if err != nil || len(f) != 5 {
		return Committed{}, fmt.Errorf("commit record of %s/%c%s is damaged", id, side, index)
	}
	return Committed{
		Attempt:  AttemptID{Job: id, Task: TaskID{Side: side, Index: i}, Number: atoi(f[0]), Claimed: int64(atoi(f[2]))},
		Executor: ExecutorID(f[1]), Started: millis(f[2]), Ended: millis(f[3]), Manifest: []byte(f[4]),
	}, nil
}

// Counters returns the sums over all committed attempts.
func (s *Store) Counters(ctx context.Context, id JobID) (map[string]int64, error) {
	fields, err := s.rdb.HGetAll(ctx, s.countersKey(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("read counters of %s: %w", id, err)
	}
	counters := make(map[string]int64, len(fields))
	for name, text := range fields {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read counter %s of %s: %w", name, id, err)
		}
		counters[name] = n
	}
	return counters, nil
}

// Failures returns the newest failures of a job's attempts, oldest first, at most 200.
func (s *Store) Failures(ctx context.Context, id JobID) ([]Failure, error) {
	texts, err := s.rdb.LRange(ctx, s.errorsKey(id), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list failures of %s: %w", id, err)
	}
	failures := make([]Failure, len(texts))
	for i, text := range texts {
		if err := json.Unmarshal([]byte(text), &failures[i]); err != nil {
			return nil, fmt.Errorf("read a failure of %s: %w", id, err)
		}
	}
	return failures, nil
}

// Event is an entry of a job's event stream.
type Event struct {
	ID   string // "MS-SEQ"; rises
	Kind string
	Text string
}

// Events returns the events after the one with id after ("" or "0" for all), waiting up to
// wait for the first if there is none yet.
func (s *Store) Events(ctx context.Context, id JobID, after string, wait time.Duration) ([]Event, error) {
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
	var events []Event
	for _, m := range streams[0].Messages {
		kind, _ := m.Values["kind"].(string)
		text, _ := m.Values["text"].(string)
		events = append(events, Event{ID: m.ID, Kind: kind, Text: text})
	}
	return events, nil
}

func millis(s string) time.Time {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil || ms == 0 {
		return time.Time{} // not set yet
	}
	return time.UnixMilli(ms)
}
