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

// cause returns what err comes from: the end of the attempt rather than the death of the
// process that it brings about.
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

// explain returns why writing to the guest failed: err, or what the guest itself said
// last, or how it died.
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

// died returns why the stream of the guest's frames ended where it must not.
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
	user.Final = g.proc.State().Exited() // who was killed may do better the next time
	return user
}

// misbehaved is a UserError about a guest that does not keep to the protocol.
func (g *guest) misbehaved(err error) error {
	user := &program.UserError{Program: g.name, Message: fmt.Sprintf("protocol: %v", err), Traceback: g.proc.LastLines()}
	if !g.started {
		user.Message += g.perhapsCommand()
		user.Final, user.Everywhere = true, true
	}
	return g.cause(user)
}

// perhapsCommand is what to say beside of an executable that does not begin as the protocol wants it.
func (g *guest) perhapsCommand() string {
	if !g.foreign {
		return ""
	}
	return "; it does not seem to be a Bucketmill program (those say READY first): " +
		"a program that reads and writes lines is given by --mapper, as for Hadoop Streaming"
}

// userError makes a UserError of what a guest sent.
func userError(name string, f frames.Failure) *program.UserError {
	e := &program.UserError{
		Program: name, Message: f.Message, Traceback: f.Traceback, File: f.File, Line: f.Line, Everywhere: f.Everywhere,
	}
	if r := f.Record; r != nil {
		e.Record = &program.RecordRef{Input: r.Input, Offset: r.Offset, Key: r.Key, Value: r.Value}
	}
	return e
}
