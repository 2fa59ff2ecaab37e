package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

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
		return errKilled
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
			return g.cause(errKilled)
		}
	}
}

// died returns why the stream of the guest's frames ended where it must not.
func (g *guest) died(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return g.misbehaved(err)
	}
	if !g.proc.waitExit(g.ctx, g.cfg.Grace) {
		return g.misbehaved(errors.New("it closed its standard output before it was done"))
	}
	if g.started {
		return g.proc.deathError(g.name, "it ended before it was done: "+g.proc.exit())
	}
	user := g.proc.deathError(g.name, "it ended before it was ready: "+g.proc.exit()+g.perhapsCommand())
	user.Final = g.proc.cmd.ProcessState.Exited() // who was killed may do better the next time
	return user
}

// misbehaved is a UserError about a guest that does not keep to the protocol.
func (g *guest) misbehaved(err error) error {
	user := &UserError{Program: g.name, Message: fmt.Sprintf("protocol: %v", err), Traceback: g.proc.stderr.lastLines()}
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
