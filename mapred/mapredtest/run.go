package mapredtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/mapred"
)

// run is one run of a job.
type run struct {
	*config
	ctx      context.Context // the caller's
	newJob   func() mapred.Job
	variant  variant
	counters map[string]int64
	log      bytes.Buffer
}

// pair is a record that a program has emitted.
type pair struct{ key, value []byte }

func (c *config) newRun(ctx context.Context, newJob func() mapred.Job, v variant) *run {
	return &run{config: c, ctx: ctx, newJob: newJob, variant: v, counters: map[string]int64{}}
}

// check is what happens before a job starts.
func (c *config) check(ctx context.Context, newJob func() mapred.Job) error {
	r := c.newRun(ctx, newJob, variant{})
	_, err := r.serve(newJob(), r.hello(frames.RoleCheck, 0), nil)
	return err
}

func (c *config) run(ctx context.Context, newJob func() mapred.Job, v variant) (*Result, error) {
	r := c.newRun(ctx, newJob, v)
	result := &Result{Counters: r.counters}
	partitions := make([][]pair, c.reducers)
	for task := range c.tasks {
		pairs, err := r.mapTask(task)
		if err != nil {
			return nil, err
		}
		if c.reducers == 0 {
			result.Parts = append(result.Parts, lines(pairs))
			continue
		}
		for _, p := range pairs {
			hash := fnv.New32a()
			_, _ = hash.Write(p.key) // a hash does not fail
			to := hash.Sum32() % uint32(c.reducers)
			partitions[to] = append(partitions[to], p)
		}
	}
	for task, pairs := range partitions {
		pairs, err := r.reduceTask(task, pairs)
		if err != nil {
			return nil, err
		}
		result.Parts = append(result.Parts, lines(pairs))
	}
	result.Output = slices.Concat(result.Parts...)
	if r.log.Len() > 0 {
		result.Log = strings.Split(strings.TrimSuffix(r.log.String(), "\n"), "\n")
	}
	return result, nil
}

func lines(pairs []pair) []string {
	lines := make([]string, len(pairs))
	for i, p := range pairs {
		lines[i] = string(p.key) + "\t" + string(p.value)
	}
	return lines
}

// mapTask maps the task's part of every input.
func (r *run) mapTask(task int) ([]pair, error) {
	job := r.newJob()
	if r.variant.combine != 0 {
		job.Combiner = nil
	}
	pairs, err := r.serve(job, r.hello(frames.RoleMap, task), func(w *frames.Writer) error {
		for i := range r.inputs {
			b := r.part(i, task)
			if b.Data == nil {
				continue
			}
			if err := w.Write(frames.TypeBatch, frames.AppendBatchHeader(nil, &b), b.Data); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("map task %d: %w", task, err)
	}
	for range max(0, r.variant.combine) {
		if pairs, err = r.combine(pairs); err != nil {
			return nil, fmt.Errorf("map task %d: combine: %w", task, err)
		}
	}
	return pairs, nil
}

// part is the part of an input that a map task gets.
func (r *run) part(input, task int) record.Batch {
	b := r.inputs[input]
	if b.Framing != record.Lines { // a single record
		if input%r.tasks != task {
			b.Data = nil
		}
		return b
	}
	all := slices.Collect(bytes.Lines(b.Data))
	first, end := len(all)*task/r.tasks, len(all)*(task+1)/r.tasks
	for _, line := range all[:first] {
		b.Offset += int64(len(line))
	}
	b.Data = bytes.Join(all[first:end], nil)
	return b
}

// combine hands records to the combiner, a few at a time.
func (r *run) combine(pairs []pair) ([]pair, error) {
	order := r.variant.order
	order.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	var combined []pair
	for len(pairs) > 0 {
		n := 1 + order.IntN(min(len(pairs), 8))
		job := r.newJob()
		job.Mapper, job.Reducer, job.Combiner = unused{}, job.Combiner, nil
		if _, ok := job.Reducer.(mapred.WithClose); ok {
			job.Reducer = onlyReduce{job.Reducer}
		}
		some, err := r.reduce(job, 0, pairs[:n])
		if err != nil {
			return nil, err
		}
		combined, pairs = append(combined, some...), pairs[n:]
	}
	return combined, nil
}

// unused is the mapper of a job that combines only.
type unused struct{}

func (unused) Map(context.Context, mapred.Record, *mapred.Emitter) error { return nil }

// onlyReduce is a combiner, whose Close is not called.
type onlyReduce struct{ mapred.Reducer }

func (o onlyReduce) Setup(ctx context.Context) error {
	if s, ok := o.Reducer.(mapred.WithSetup); ok {
		return s.Setup(ctx)
	}
	return nil
}

func (r *run) reduceTask(task int, pairs []pair) ([]pair, error) {
	if order := r.variant.order; order != nil {
		order.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	}
	pairs, err := r.reduce(r.newJob(), task, pairs)
	if err != nil {
		return nil, fmt.Errorf("reduce task %d: %w", task, err)
	}
	return pairs, nil
}

func (r *run) reduce(job mapred.Job, task int, pairs []pair) ([]pair, error) {
	pairs = slices.Clone(pairs)
	slices.SortStableFunc(pairs, func(a, b pair) int {
		c := bytes.Compare(a.key, b.key)
		if c == 0 && r.sortValues {
			c = bytes.Compare(a.value, b.value)
		}
		return c
	})
	return r.serve(job, r.hello(frames.RoleReduce, task), func(w *frames.Writer) error {
		var block []byte
		for _, p := range pairs {
			block = record.Append(block, p.key, p.value)
		}
		return w.Write(frames.TypeRecords, block)
	})
}

func (r *run) hello(role frames.Role, task int) frames.Hello {
	return frames.Hello{
		Role: role, Job: "test", Task: task, Params: r.params, Format: r.format,
		Reducers: r.reducers, MapOnly: r.reducers == 0 && role != frames.RoleReduce, SortValues: r.sortValues,
	}
}

// serve has a conversation with the job, and returns the records that it gives.
func (r *run) serve(job mapred.Job, hello frames.Hello, input func(*frames.Writer) error) ([]pair, error) {
	var in, out bytes.Buffer
	w := frames.NewWriter(&in)
	if err := w.WriteMessage(frames.TypeHello, hello); err != nil {
		return nil, err
	}
	if input != nil {
		if err := errors.Join(input(w), w.Write(frames.TypeEnd)); err != nil {
			return nil, err
		}
	}
	served := mapred.Serve(r.ctx, job, &in, &out, &r.log)
	var pairs []pair
	for frame := frames.NewReader(&out); ; {
		kind, payload, err := frame.Next(nil)
		switch {
		case err == io.EOF:
			return pairs, served
		case err != nil:
			return nil, errors.Join(served, err)
		}
		switch kind {
		case frames.TypeRecords:
			pairs, err = appendPairs(pairs, payload)
		case frames.TypeDone:
			err = r.count(payload)
		case frames.TypeError:
			err = failed(payload, served)
		}
		if err != nil {
			return nil, err
		}
	}
}

// failed returns the error of a program with the record that it reported.
func failed(payload []byte, served error) error {
	var failure frames.Failure
	if err := frames.Decode(frames.TypeError, payload, &failure); err != nil {
		return err
	}
	err := served
	if rec := failure.Record; rec != nil && rec.Key != "" {
		err = fmt.Errorf("%w (key %s)", err, rec.Key)
	} else if rec != nil {
		err = fmt.Errorf("%w (%s at byte %d, value %s)", err, rec.Input, rec.Offset, rec.Value)
	}
	if failure.Traceback != "" {
		err = fmt.Errorf("%w\n%s", err, failure.Traceback)
	}
	return err
}

func (r *run) count(payload []byte) error {
	var done frames.Done
	if err := frames.Decode(frames.TypeDone, payload, &done); err != nil {
		return err
	}
	for name, n := range done.Counters {
		r.counters[name] += n
	}
	return nil
}

func appendPairs(pairs []pair, block []byte) ([]pair, error) {
	for len(block) > 0 {
		key, value, n, err := record.Read(block)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{key, value})
		block = block[n:]
	}
	return pairs, nil
}
