package executor

import (
	"context"
	"errors"
	"sort"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
)

func (w *mapTask) try(ctx context.Context, from, until int64) (end int64, err error) {
	end = from
	err = w.probe(func(attempt program.Attempt, drop *record.Emitter) error {
		attempt.Inputs = inputsOf(w.task)
		mapper, err := w.job.program.NewMapper(ctx, attempt)
		if err != nil {
			return err
		}
		defer mapper.Kill()
		sink := mapSink{mapper: mapper, emitter: drop}
		pick := &recordPick{pass: sink.take, from: from, until: until, end: from}
		err = w.read(ctx, pick)
		end = pick.end
		if err != nil {
			return err
		}
		return mapper.Close(drop)
	})
	return end, err
}

// named looks for the record that begins where the error says.
func (w *mapTask) named(ctx context.Context, from, until int64, why *program.UserError) (int64, error) {
	if why.Record == nil || why.Record.Input == "" {
		return -1, nil
	}
	unit := int64(-1)
	pick := &recordPick{from: from, until: until}
	pick.pass = func(b *record.Batch) error {
		if b.Input != why.Record.Input && string([]rune(b.Input)) != why.Record.Input { // a program tells in JSON
			return nil
		}
		record := pick.end - int64(b.Len())
		for offset := range b.Records() {
			if offset == why.Record.Offset {
				unit = record
				return errEnough
			}
			record++
		}
		return nil
	}
	return unit, w.read(ctx, pick)
}

func (w *mapTask) describe(ctx context.Context, unit int64) (skippedRecord, error) {
	var r skippedRecord
	err := w.read(ctx, &recordPick{from: unit, until: unit + 1, pass: func(b *record.Batch) error {
		for offset, value := range b.Records() {
			r = skippedRecord{Input: objstore.Shown(b.Input), Offset: &offset, Record: unit, Value: show(value, shownBytes)}
		}
		return nil
	}})
	return r, err
}

// read hands those of the task's records to pick that it wants, and perhaps some before.
func (w *mapTask) read(ctx context.Context, pick *recordPick) error {
	if pick.from >= pick.until {
		return nil
	}
	start := mark{}
	if i := sort.Search(len(w.marks), func(i int) bool { return w.marks[i].record > pick.from }); i > 0 {
		start = w.marks[i-1]
	}
	pick.next = start.record
	for i := start.split; i < len(w.task); i++ {
		s := w.task[i]
		if i == start.split && start.offset > s.Offset {
			s.Length -= start.offset - s.Offset
			s.Offset = start.offset
		}
		w.note(mark{record: pick.next, split: i, offset: s.Offset})
		r, err := w.executor.openSplit(ctx, w.job, s, SplitOptions(w.job.format, w.executor.slotMemory()))
		if err != nil {
			return err
		}
		_, err = readAll(ctx, w.attempt, s, r, func(b *record.Batch, _ int64) error {
			if r.Seekable() && b.Offset < s.Offset+s.Length {
				w.note(mark{record: pick.next, split: i, offset: b.Offset})
			}
			return pick.take(b)
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// note remembers a mark if it is the farthest so far.
func (w *mapTask) note(m mark) {
	if len(w.marks) == 0 || m.record > w.marks[len(w.marks)-1].record {
		w.marks = append(w.marks, m)
	}
}

// mark is where a split or a batch begins: reading may begin there, too.
type mark struct {
	record int64 // its first
	split  int
	offset int64
}
