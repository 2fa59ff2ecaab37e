package streaming

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

// streamReducer is a reducer whose process reads lines.
type streamReducer struct{ *streams }

// NewReducer implements Program.
func (p *streaming) NewReducer(ctx context.Context, a program.Attempt) (program.Reducer, error) {
	g, err := p.prepare(ctx, a)
	if err != nil {
		return nil, err
	}
	return &streamReducer{g}, nil
}

// Reduce implements Reducer.
func (r *streamReducer) Reduce(next func() ([]byte, error), out *record.Emitter) error {
	s, err := r.start("reducer", r.program.reducer, nil)
	if err != nil {
		return err
	}
	first, err := firstBlock(next)
	empty := errors.Is(err, io.EOF)
	if err != nil && !empty {
		s.forget()
		return r.cause(err)
	}
	var thrownAway int64
	take := func(lines []byte) error {
		if empty {
			thrownAway += int64(len(lines))
			return nil
		}
		r.program.reduceOutput.emit(lines, out)
		return out.Err()
	}
	input := func() error { return nil }
	if !empty {
		input = func() error { return r.write(s, first, next) }
	}
	if err := s.exchange(input, false, take); err != nil {
		s.forget()
		return err
	}
	if err := s.finish(take); err != nil {
		return err
	}
	if thrownAway > 0 && r.attempt.Log != nil {
		note := fmt.Sprintf("[the partition is empty: the %d bytes that the reducer printed are dropped]\n", thrownAway)
		_, _ = r.attempt.Log.Write([]byte(note)) // like a process's lines, it may be lost
	}
	return nil
}

// write writes the pairs of all blocks.
func (r *streamReducer) write(s *stream, block []byte, next func() ([]byte, error)) error {
	lines := lineWriter{to: s.stdin}
	for {
		if err := lines.pairs(block, r.program.reduceInput); err != nil {
			return err
		}
		var err error
		if block, err = next(); errors.Is(err, io.EOF) {
			return lines.flush()
		} else if err != nil {
			return err
		}
	}
}

// firstBlock returns the first block that is not empty.
func firstBlock(next func() ([]byte, error)) ([]byte, error) {
	for {
		block, err := next()
		if err != nil || len(block) > 0 {
			return block, err
		}
	}
}
