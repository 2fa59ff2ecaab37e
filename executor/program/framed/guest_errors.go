package framed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// cause returns why err happened: the end of the attempt, if it has ended, rather than the death of
// the process, which follows from that.
func (g *guest) cause(err error) error {
	if cause := context.Cause(g.ctx); cause != nil {
		return cause
	}
	select {
	case <-g.killed:
		return program.ErrKilled
	default:
		return err
	}
}

var errEarlyDone = errors.New("it said DONE before the end of its input")

// explain returns why a write to the guest failed: err, or the guest's last message, or how it
// died.
func (g *guest) explain(err error) error {
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
		return g.cause(err)
	}
	drop := record.NewEmitter(1<<16, func(block []byte) ([]byte, error) { return block, nil })
	for {
		select {
		case f := <-g.incoming:
			done, err := g.take(f, drop)
			if err != nil {
				return g.cause(err)
			}
			if done {
				return g.misbehaved(errEarlyDone)
			}
		case <-g.killed:
			return g.cause(program.ErrKilled)
		}
	}
}

// died returns why the guest's frames ended too early.
func (g *guest) died(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return g.misbehaved(err)
	}
	if !g.proc.WaitExit(g.ctx, g.cfg.Grace) {
		return g.misbehaved(errors.New("it closed its standard output before it was done"))
	}
	if g.started {
		return program.Died(g.name, g.proc, "it ended before it was done: "+g.proc.Exit())
	}
	user := program.Died(g.name, g.proc, "it ended before it was ready: "+g.proc.Exit()+g.perhapsCommand())
	user.Final = g.proc.State().Exited() // a killed program may succeed in another attempt
	return user
}

// misbehaved returns a UserError about a guest that breaks the protocol.
func (g *guest) misbehaved(err error) error {
	user := &program.UserError{Program: g.name, Message: fmt.Sprintf("protocol: %v", err), Traceback: g.proc.LastLines()}
	if !g.started {
		user.Message += g.perhapsCommand()
		user.Final, user.Everywhere = true, true
	}
	return g.cause(user)
}

// perhapsCommand returns a hint for executables that do not begin as the protocol requires.
func (g *guest) perhapsCommand() string {
	if !g.foreign {
		return ""
	}
	return "; it does not seem to be a Bucketmill program, which would begin with READY: " +
		"use --mapper for a program that reads and writes lines, as for Hadoop Streaming"
}

// userError returns the UserError that a guest has sent.
func userError(name string, f frames.Failure) *program.UserError {
	e := &program.UserError{
		Program: name, Message: f.Message, Traceback: f.Traceback, File: f.File, Line: f.Line, Everywhere: f.Everywhere,
	}
	if r := f.Record; r != nil {
		e.Record = &program.RecordRef{Input: r.Input, Offset: r.Offset, Key: r.Key, Value: r.Value}
	}
	return e
}
