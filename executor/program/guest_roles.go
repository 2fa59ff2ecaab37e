package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// guestMapper is a Mapper in another process.
type guestMapper struct {
	*guest
	header []byte // scratch
}

func (m *guestMapper) Map(b *record.Batch, out *record.Emitter) error {
	return m.exchange(func() error {
		m.header = frames.AppendBatchHeader(m.header[:0], b)
		return m.frames.Write(frames.TypeBatch, m.header, b.Data)
	}, false, out)
}

func (m *guestMapper) Close(out *record.Emitter) error {
	err := m.exchange(m.endInput, true, out)
	if err == nil && m.pairs != nil {
		err = m.pairs.drain(out)
	}
	if err != nil {
		return err
	}
	return m.end()
}

// MapOutput implements Combining.
func (m *guestMapper) MapOutput() (records int64, ok bool) {
	return m.done.MapOutput, m.done.MapOutput > 0
}

// pythonMapper is a mapper that says what it has mapped.
type pythonMapper struct {
	guestMapper
	handed int64
}

func (m *pythonMapper) Map(b *record.Batch, out *record.Emitter) error {
	err := m.guestMapper.Map(b, out)
	m.handed += int64(len(m.header) + len(b.Data))
	return err
}

// Handed implements Telling.
func (m *pythonMapper) Handed() int64 { return m.handed }

// guestReducer is a Reducer in another process.
type guestReducer struct{ *guest }

func (r *guestReducer) Reduce(next func() ([]byte, error), out *record.Emitter) error {
	err := r.exchange(func() error {
		for {
			block, err := next()
			if err == io.EOF {
				return r.endInput()
			}
			if err != nil {
				return err
			}
			if err := r.frames.Write(frames.TypeRecords, block); err != nil {
				return err
			}
		}
	}, true, out)
	if err != nil {
		return err
	}
	return r.end()
}

// pythonReducer is a reducer that reads GROUPS and RUN frames.
type pythonReducer struct{ *guest }

func (r *pythonReducer) Reduce(next func() ([]byte, error), out *record.Emitter) error {
	err := r.exchange(func() error {
		groups := grouper{write: r.frames.Write}
		select {
		case ready := <-r.ready:
			groups.sum = ready.Sums
		case <-r.killed:
			return errKilled
		}
		for {
			block, err := next()
			if err == io.EOF {
				return errors.Join(groups.finish(), r.endInput())
			}
			if err != nil {
				return err
			}
			if err := groups.take(block); err != nil {
				return err
			}
		}
	}, true, out)
	if err != nil {
		return err
	}
	return r.end()
}

// check starts the program for a moment to see that it can be run.
func (p *guestProgram) check(ctx context.Context) (err error) {
	scratch, err := MakeScratch("")
	if err != nil {
		return fmt.Errorf("check program: %w", err)
	}
	defer func() { err = errors.Join(err, scratch.Remove()) }()
	if p.apart != nil {
		if p, err = p.apart(filepath.Join(scratch.Folder, "program")); err != nil {
			return err
		}
	}
	folder := filepath.Join(scratch.Folder, "check")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("check program: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Grace)
	defer cancel()
	g, err := p.start(ctx, Attempt{Scratch: folder, MapOnly: p.spec.MapOnly}, frames.RoleCheck)
	if err != nil {
		return err
	}
	defer g.Kill()
	return g.first(ctx)
}

// hearing is how long a program that is checked has before its input ends: one that reads lines goes on to its own
// end then, which tells what it is.
const hearing = time.Second

// first takes what the guest says first, and returns what is wrong with that.
func (g *guest) first(ctx context.Context) error {
	timer := time.NewTimer(hearing)
	defer timer.Stop()
	for {
		select {
		case f := <-g.incoming:
			if f.err == nil && f.kind != frames.TypeReady && f.kind != frames.TypeError {
				return g.misbehaved(fmt.Errorf("%v where READY must be", f.kind))
			}
			_, err := g.take(f, nil) // neither has records
			return g.cause(err)
		case <-timer.C:
			if err := ignoreClosed(g.proc.stdin.Close()); err != nil {
				return fmt.Errorf("check program: %w", err)
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return &UserError{Program: g.name, Message: fmt.Sprintf("it is not ready after %v%s", g.cfg.Grace, g.perhapsCommand())}
			}
			return context.Cause(ctx)
		}
	}
}
