package mapred

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// blockLen is how long RECORDS frames get, in bytes.
const blockLen = 256 << 10

// guest is one conversation, seen from the program's side.
type guest struct {
	job  Job
	in   *frames.Reader
	out  *frames.Writer
	task Task
	buf  []byte
	end  bool // END was read
	done frames.Done

	// What is being worked on, for error reports; nil when it is nothing.
	key, value []byte
}

func (g *guest) hello() error {
	t, payload, err := g.in.Next(nil)
	if err == io.EOF || errors.Is(err, frames.ErrMalformed) {
		return fmt.Errorf("%w: %w", errNoHost, err)
	}
	if err != nil {
		return err
	}
	if t != frames.TypeHello {
		return fmt.Errorf("%w: %v where HELLO must be", frames.ErrMalformed, t)
	}
	return frames.Decode(t, payload, &g.task.Hello)
}

func (g *guest) run() error {
	if err := g.job.check(g.task.Hello); err != nil {
		return err
	}
	if g.job.Setup != nil {
		if err := g.job.Setup(&g.task); err != nil {
			return fmt.Errorf("setup: %w", err)
		}
	}
	if err := g.out.WriteMessage(frames.TypeReady, frames.Ready{HasCombine: g.job.Combiner != nil}); err != nil {
		return err
	}
	var err error
	switch g.task.Role {
	case frames.RoleMap:
		err = g.runMap()
	case frames.RoleReduce:
		err = g.runReduce()
	case frames.RoleCheck:
		return nil
	}
	if err := errors.Join(err, g.task.overflow); err != nil {
		return err
	}
	g.done.Counters = g.task.counters
	return g.out.WriteMessage(frames.TypeDone, g.done)
}

func (j Job) check(hello frames.Hello) error {
	role := hello.Role
	switch {
	case role != frames.RoleMap && role != frames.RoleReduce && role != frames.RoleCheck:
		return fmt.Errorf("%w: unknown role %q", frames.ErrMalformed, role)
	case j.Mapper == nil && role != frames.RoleReduce:
		return errors.New("the program has no mapper")
	case j.Reducer == nil && (role == frames.RoleReduce || role == frames.RoleCheck && !hello.MapOnly):
		return errors.New("the program has no reducer")
	}
	return nil
}

// emitter returns an Emitter whose blocks go out as RECORDS.
func (g *guest) emitter() *record.Emitter {
	return record.NewEmitter(blockLen, func(block []byte) ([]byte, error) {
		return block, g.out.Write(frames.TypeRecords, block)
	})
}

func (g *guest) runMap() error {
	out := g.emitter()
	emit := out
	if g.job.Combiner != nil && !g.task.MapOnly {
		emit = newCombineBuffer(g.job.Combiner, out).emitter()
	}
	for {
		payload, err := g.next(frames.TypeBatch)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		b, err := frames.DecodeBatch(payload)
		if err != nil {
			return err
		}
		if err := g.mapBatch(&b, emit); err != nil {
			return err
		}
	}
	if err := emit.Flush(); err != nil {
		return err
	}
	if emit != out {
		g.done.MapOutput, _ = emit.Count()
	}
	return out.Flush()
}

func (g *guest) mapBatch(b *record.Batch, emit *record.Emitter) error {
	g.task.Input, g.task.Header = b.Input, b.Header
	var key [8]byte
	for offset, value := range b.Records() {
		binary.BigEndian.PutUint64(key[:], uint64(offset))
		if err := g.job.Mapper.Map(key[:], value, emit); err != nil {
			g.key, g.value = key[:], value
			return fmt.Errorf("map: %w", err)
		}
	}
	return emit.Err()
}

func (g *guest) runReduce() error {
	emit := g.emitter()
	groups := record.NewGroups(func() ([]byte, error) { return g.next(frames.TypeRecords) })
	values := &Values{groups: groups}
	for groups.Next() {
		if err := g.job.Reducer.Reduce(groups.Key(), values, emit); err != nil {
			g.key = groups.Key()
			return fmt.Errorf("reduce: %w", err)
		}
	}
	if err := groups.Err(); err != nil {
		return err
	}
	return emit.Flush()
}

// next returns the payload of the next frame, which must be of type want, or io.EOF at END.
func (g *guest) next(want frames.Type) ([]byte, error) {
	if g.end {
		return nil, io.EOF // a Groups may ask again
	}
	t, payload, err := g.in.Next(g.buf)
	if err == io.EOF {
		return nil, fmt.Errorf("host is gone: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, err
	}
	g.buf = payload
	switch t {
	case want:
		return payload, nil
	case frames.TypeEnd:
		g.end = true
		return nil, io.EOF
	}
	return nil, fmt.Errorf("%w: %v where %v must be", frames.ErrMalformed, t, want)
}

// record describes what was being worked on when an error came.
func (g *guest) record() *frames.FailedRecord {
	if g.key == nil {
		return nil
	}
	if g.task.Role == frames.RoleReduce {
		return &frames.FailedRecord{Key: preview(g.key)}
	}
	return &frames.FailedRecord{
		Input:  g.task.Input,
		Offset: int64(binary.BigEndian.Uint64(g.key)),
		Value:  preview(g.value),
	}
}

// previewLen is how many bytes of a key or value an error shows, quoted.
const previewLen = 200

func preview(b []byte) string {
	if q := strconv.Quote(string(b[:min(len(b), previewLen)])); len(q) <= previewLen {
		return q
	}
	// Quoting may make four of one byte, so a quarter always fits.
	return strconv.Quote(string(b[:min(len(b), previewLen/4-4)])) + "…"
}
