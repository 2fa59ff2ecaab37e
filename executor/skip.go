package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"unicode/utf8"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// work is what an attempt has to do, in units that can be set aside one by one: the records of
// a map task, the groups (a key with all its values) of a reduce task. Units are named by their
// ordinals in the task, from 0, which are the same for every attempt.
type work interface {
	// do does it all, but for the units to omit, which are sorted.
	do(ctx context.Context, omit []int64) (result, error)
	// try runs the program anew over the units from one on and before another, and throws away
	// what it makes. End is the unit behind the last one that it was given.
	try(ctx context.Context, from, until int64) (end int64, err error)
	// named returns the unit in that range that an error of the program names, or -1.
	named(ctx context.Context, from, until int64, why *program.UserError) (int64, error)
	// describe returns what is told of a unit.
	describe(ctx context.Context, unit int64) (skippedRecord, error)
}

// carefulAttempt is the attempt from which on a task's bad records are looked for: before,
// it may be chance.
const carefulAttempt = 3

// careful tells whether an attempt may set records aside.
func (e *Executor) careful(a *attempt, job *jobContext) bool {
	return job.maySkip() && a.Attempt.Number >= min(carefulAttempt, e.limits(job).User)
}

// limits are those that hold for a job's attempts; the job may be nil.
func (e *Executor) limits(job *jobContext) state.Limits {
	limits := e.cfg.Limits
	if job != nil && job.spec.MaxAttempts > 0 {
		limits.User = job.spec.MaxAttempts
	}
	return limits
}

// perhapsSkipping does an attempt's work. When the program fails, and the attempt may, it finds
// the units that make it fail, sets them aside, and does the rest.
func (e *Executor) perhapsSkipping(ctx context.Context, a *attempt, j *jobContext, w work) (result, error) {
	r, err := w.do(ctx, nil)
	why := programFault(ctx, err)
	if why == nil || why.Final || !e.careful(a, j) {
		return r, err
	}
	aside := &setAside{bucket: e.work, key: j.layout.Skipped(a.Attempt), attempt: a.Attempt}
	bad, err := findBad(ctx, w, j.spec.SkipBadRecords, why, func(unit int64, why *program.UserError) error {
		record, err := w.describe(ctx, unit)
		if err != nil {
			return err
		}
		return aside.add(ctx, record, why)
	})
	if err == nil {
		if r, err = w.do(ctx, bad); err != nil {
			if why := programFault(ctx, err); why != nil {
				err = notSkipped(why, fmt.Sprintf("it also fails without the %d on which it fails alone", len(bad)))
			}
		}
	}
	if err != nil {
		return result{}, errors.Join(err, aside.abort())
	}
	if err := aside.commit(); err != nil {
		return result{}, errors.Join(err, r.discard(ctx))
	}
	r.counters[job.SkippedBy(a.Attempt.Task)] = int64(len(bad))
	discard := r.discard
	r.discard = func(ctx context.Context) error {
		return errors.Join(discard(ctx), e.work.Delete(ctx, aside.key))
	}
	return r, nil
}

// programFault returns the fault of the program that an error is, or nil when it is none, or the
// attempt is being stopped.
func programFault(ctx context.Context, err error) *program.UserError {
	var user *program.UserError
	if ctx.Err() == nil && errors.As(err, &user) {
		return user
	}
	return nil
}

// setAside writes an attempt's bad records to the work store, a line of JSON for each, as a checked
// object. They are not there before commit.
type setAside struct {
	bucket  objstore.Bucket
	key     string
	attempt job.AttemptID
	w       *objstore.CheckedWriter // nil before the first record
}

func (s *setAside) add(ctx context.Context, record skippedRecord, why *program.UserError) (err error) {
	if s.w == nil {
		w, err := s.bucket.Create(ctx, s.key)
		if err != nil {
			return err
		}
		s.w = objstore.NewCheckedWriter(w)
	}
	record.Job, record.Task = s.attempt.Job, s.attempt.Task.String()
	record.Error, record.Traceback = why.Error(), why.Traceback
	line, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode a bad record: %w", err)
	}
	_, err = s.w.Write(append(line, '\n'))
	return err
}

// commit must follow a record.
func (s *setAside) commit() error {
	_, err := s.w.Commit()
	return err
}

func (s *setAside) abort() error {
	if s.w == nil {
		return nil
	}
	return s.w.Abort()
}

// skippedRecord is a line of a _skipped object. The job comes first: clean-up looks at that.
type skippedRecord struct {
	Job       job.ID  `json:"job"`
	Task      string  `json:"task"`             // "m12"
	Input     string  `json:"input,omitempty"`  // the object's URL; of a map task
	Offset    *int64  `json:"offset,omitempty"` // in the object, after decompression, in bytes; of a map task
	Record    int64   `json:"record"`           // its ordinal in the task, from 0; of a reduce task the key's
	Key       *shown  `json:"key,omitempty"`    // of a reduce task
	Value     *shown  `json:"value,omitempty"`  // of a map task
	Values    int64   `json:"values,omitempty"` // how many the key has
	First     []shown `json:"first_values,omitempty"`
	Error     string  `json:"error"`
	Traceback string  `json:"traceback,omitempty"`
}

// How much of a bad record is kept, in bytes, and how many of a key's values.
const (
	shownBytes      = 64 << 10
	shownValues     = 10
	shownValueBytes = 4 << 10
)

// shown is the beginning of a key or value: as text if that is UTF-8.
type shown struct {
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	Bytes  int    `json:"bytes"` // its full length
}

// show copies the first most bytes of data, or a few less, so that no character is cut.
func show(data []byte, most int) *shown {
	s := shown{Bytes: len(data)}
	head := data[:min(len(data), most)]
	for cut := 0; cut < utf8.UTFMax && cut <= len(head); cut++ {
		if utf8.Valid(head[:len(head)-cut]) {
			s.Text = string(head[:len(head)-cut])
			return &s
		}
		if len(head) == len(data) {
			break // nothing was cut
		}
	}
	s.Base64 = append(s.Base64, head...)
	return &s
}

// probing is what trying out a map task has in common with trying out a reduce task.
type probing struct {
	executor *Executor
	attempt  *attempt
	job      *jobContext
	scratch  string
}

// probe has run do something in a scratch folder of its own, as the program expects it, whose
// log nobody wants.
func (p *probing) probe(run func(attempt program.Attempt, drop *record.Emitter) error) (err error) {
	scratch := filepath.Join(p.scratch, "probe")
	if err := program.PassableFolder(scratch); err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, program.RemoveScratch(scratch)) }()
	attempt, err := p.executor.programAttempt(p.attempt, p.job, scratch)
	if err != nil {
		return err
	}
	attempt.Log = nil
	return run(attempt, record.NewEmitter(emitBlock, func(block []byte) ([]byte, error) { return block, nil }))
}
