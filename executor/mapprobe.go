package executor

import (
	"context"
	"errors"
	"sort"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
)

// Try maps some of the task's records by a fresh program, and throws away what it emits.
func (t *mapTask) Try(ctx context.Context, from, until int64) (end int64, err error) {
	end = from
	err = t.probe(t.splits, func(attempt program.Attempt, drop *record.Emitter) error {
		mapper, err := t.job.program.NewMapper(ctx, attempt)
		if err != nil {
			return err
		}
		defer mapper.Kill()
		sink := mapSink{mapper: mapper, emitter: drop}
		wanted := &badrecords.RecordFilter{Pass: sink.mapBatch, From: from, Until: until, End: from}
		err = t.read(ctx, wanted)
		end = wanted.End
		if err != nil {
			return err
		}
		return mapper.Close(drop)
	})
	return end, err
}

// Named looks for the record that begins where the error says.
func (t *mapTask) Named(ctx context.Context, from, until int64, why *program.UserError) (int64, error) {
	if why.Record == nil || why.Record.Input == "" {
		return -1, nil
	}
	unit := int64(-1)
	wanted := &badrecords.RecordFilter{From: from, Until: until}
	wanted.Pass = func(b *record.Batch) error {
		// A program reports its input in JSON, which replaces bytes that are not UTF-8.
		if b.Input != why.Record.Input && string([]rune(b.Input)) != why.Record.Input {
			return nil
		}
		record := wanted.End - int64(b.Len())
		for offset := range b.Records() {
			if offset == why.Record.Offset {
				unit = record
				return badrecords.ErrEnough
			}
			record++
		}
		return nil
	}
	return unit, t.read(ctx, wanted)
}

// Describe returns where a record is, and the beginning of it.
func (t *mapTask) Describe(ctx context.Context, unit int64) (badrecords.Record, error) {
	var r badrecords.Record
	err := t.read(ctx, &badrecords.RecordFilter{From: unit, Until: unit + 1, Pass: func(b *record.Batch) error {
		for offset, value := range b.Records() {
			r = badrecords.Record{
				Input: objstore.Shown(b.Input), Offset: &offset, Record: unit, Value: badrecords.Show(value, badrecords.ShownBytes),
			}
		}
		return nil
	}})
	return r, err
}

// mark is the beginning of a split or a batch: reading may begin there, too.
type mark struct {
	record int64 // the ordinal of the first record
	split  int
	offset int64
}

// read passes the task's records to a filter: all that the filter wants, and perhaps some before.
func (t *mapTask) read(ctx context.Context, wanted *badrecords.RecordFilter) error {
	if wanted.From >= wanted.Until {
		return nil
	}
	start := mark{}
	if i := sort.Search(len(t.marks), func(i int) bool { return t.marks[i].record > wanted.From }); i > 0 {
		start = t.marks[i-1]
	}
	wanted.Next = start.record
	for i := start.split; i < len(t.splits); i++ {
		s := t.splits[i]
		if i == start.split && start.offset > s.Offset {
			s.Length -= start.offset - s.Offset
			s.Offset = start.offset
		}
		t.addMark(mark{record: wanted.Next, split: i, offset: s.Offset})
		r, err := t.executor.openSplit(ctx, t.job, s, SplitOptions(t.job.format, t.executor.slotMemory()))
		if err != nil {
			return err
		}
		_, err = readAll(ctx, t.attempt, s, r, func(b *record.Batch, _ int64) error {
			if r.Seekable() && b.Offset < s.Offset+s.Length {
				t.addMark(mark{record: wanted.Next, split: i, offset: b.Offset})
			}
			return wanted.Filter(b)
		})
		if errors.Is(err, badrecords.ErrEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addMark keeps a mark if it is farther than all others.
func (t *mapTask) addMark(m mark) {
	if len(t.marks) == 0 || m.record > t.marks[len(t.marks)-1].record {
		t.marks = append(t.marks, m)
	}
}
