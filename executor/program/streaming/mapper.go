package streaming

import (
	"context"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

// streamMapper is a mapper whose processes read lines; each object has its own process.
type streamMapper struct {
	*streams
	combining *streamCombiner // nil without a combiner
	keyed     bool            // the process also gets keys

	begun   bool
	input   string  // the object of the current or the last process
	current *stream // nil once it has ended
	lines   lineWriter
}

// NewMapper implements Program.
func (p *streaming) NewMapper(ctx context.Context, a program.Attempt) (program.Mapper, error) {
	g, err := p.prepare(ctx, a)
	if err != nil {
		return nil, err
	}
	m := &streamMapper{streams: g, keyed: p.keyed(a.Lines)}
	if p.combiner != nil && !a.MapOnly {
		m.combining = newStreamCombiner(g)
	}
	return m, nil
}

// keyed reports whether mappers get keys with the records. Lines says that each record is a line.
func (p *streaming) keyed(lines bool) bool {
	switch p.ignoreKey {
	case "true":
		return false
	case "false":
		return true
	}
	return !lines
}

// Map implements Mapper.
func (m *streamMapper) Map(b *record.Batch, out *record.Emitter) error {
	if !m.begun || b.Input != m.input {
		if err := m.finish(out); err != nil {
			return err
		}
		if err := m.begin(b.Input); err != nil {
			return err
		}
	}
	s := m.current
	if s == nil {
		return nil // it has ended and takes no more input
	}
	if !s.deaf {
		write := func() error {
			if m.keyed {
				return m.lines.keyed(b, m.program.mapInput)
			}
			return m.lines.values(b)
		}
		if err := s.exchange(write, false, m.taker(out)); err != nil {
			return err
		}
	}
	if s.ended() {
		return m.finish(out)
	}
	return nil
}

// Close implements Mapper.
func (m *streamMapper) Close(out *record.Emitter) error {
	if !m.begun { // the program runs at least once
		first := ""
		if len(m.attempt.Inputs) > 0 {
			first = m.attempt.Inputs[0].URL
		}
		if err := m.begin(first); err != nil {
			return err
		}
	}
	if err := m.finish(out); err != nil {
		return err
	}
	if m.combining != nil {
		return m.combining.flush(out)
	}
	return out.Err()
}

// MapOutput implements Combining.
func (m *streamMapper) MapOutput() (records int64, ok bool) {
	if m.combining == nil {
		return 0, false
	}
	records, _ = m.combining.buffer.Emitter().Count()
	return records, true
}

// begin starts the process for an object.
func (m *streamMapper) begin(input string) (err error) {
	m.begun, m.input = true, input
	if m.current, err = m.start("mapper", m.program.mapper, inputVariables(&m.attempt, input)); err != nil {
		return err
	}
	m.lines.to = m.current.stdin
	return nil
}

// finish ends the current process, if there is one.
func (m *streamMapper) finish(out *record.Emitter) error {
	s := m.current
	if s == nil {
		return nil
	}
	m.current = nil
	return s.finish(m.taker(out))
}

// taker returns a function that emits the pairs in the mapper's lines.
func (m *streamMapper) taker(out *record.Emitter) func(lines []byte) error {
	if m.combining != nil {
		out = m.combining.before(out)
	}
	return func(lines []byte) error {
		m.program.mapOutput.emit(lines, out)
		return out.Err()
	}
}
