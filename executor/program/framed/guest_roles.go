package framed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// guestMapper is a mapper in another process.
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
		err = m.pairs.Drain(out)
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

// reportingMapper is a mapper whose guest reports what it has mapped.
type reportingMapper struct {
	guestMapper
	handed int64
}

func (m *reportingMapper) Map(b *record.Batch, out *record.Emitter) error {
	err := m.guestMapper.Map(b, out)
	m.handed += int64(len(m.header) + len(b.Data))
	return err
}

// Handed implements program.Reporting.
func (m *reportingMapper) Handed() int64 { return m.handed }

// guestReducer is a reducer in another process.
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

// groupReducer is a reducer whose input a groupWriter writes.
type groupReducer struct {
	*guest
	newGroups func(ready frames.Ready, write func(t frames.Type, parts ...[]byte) error) GroupWriter
}

func (r *groupReducer) Reduce(next func() ([]byte, error), out *record.Emitter) error {
	err := r.exchange(func() error {
		var groups GroupWriter
		select {
		case ready := <-r.ready:
			groups = r.newGroups(ready, r.frames.Write)
		case <-r.killed:
			return program.ErrKilled
		}
		for {
			block, err := next()
			if err == io.EOF {
				return errors.Join(groups.Finish(), r.endInput())
			}
			if err != nil {
				return err
			}
			if err := groups.Take(block); err != nil {
				return err
			}
		}
	}, true, out)
	if err != nil {
		return err
	}
	return r.end()
}

// Check starts the program for a moment to find out whether it can run. A fault of the program is a
// UserError.
func (p *Program) Check(ctx context.Context) (err error) {
	scratch, err := process.MakeScratch("")
	if err != nil {
		return fmt.Errorf("check program: %w", err)
	}
	defer func() { err = errors.Join(err, scratch.Remove()) }()
	if p.Apart != nil {
		if p, err = p.Apart(filepath.Join(scratch.Folder, "program")); err != nil {
			return err
		}
	}
	folder := filepath.Join(scratch.Folder, "check")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("check program: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.Config.Grace)
	defer cancel()
	g, err := p.start(ctx, program.Attempt{Scratch: folder, MapOnly: p.Spec.MapOnly}, frames.RoleCheck)
	if err != nil {
		return err
	}
	defer g.Kill()
	return g.first(ctx)
}

// hearing is how long Check waits before it ends the input: a program that reads lines then ends
// too, and the way in which it ends says what it is.
const hearing = time.Second

// first takes the guest's first frame, and returns what is wrong with it.
func (g *guest) first(ctx context.Context) error {
	timer := time.NewTimer(hearing)
	defer timer.Stop()
	for {
		select {
		case f := <-g.incoming:
			if f.err == nil && f.kind != frames.TypeReady && f.kind != frames.TypeError {
				return g.misbehaved(fmt.Errorf("%v instead of READY", f.kind))
			}
			_, err := g.take(f, nil) // neither has records
			return g.cause(err)
		case <-timer.C:
			if err := process.IgnoreClosed(g.proc.Stdin.Close()); err != nil {
				return fmt.Errorf("check program: %w", err)
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return &program.UserError{Program: g.name, Message: fmt.Sprintf("it is not ready after %v%s", g.cfg.Grace, g.perhapsCommand())}
			}
			return context.Cause(ctx)
		}
	}
}
