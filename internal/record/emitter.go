package record

import "encoding/binary"

// Emitter gathers a program's output records into blocks. Emit never fails: Err keeps the first
// error of the receiver, and records emitted after it are dropped, so a program may check once per
// batch.
//
// An Emitter belongs to one goroutine.
type Emitter struct {
	buf     []byte
	limit   int
	records int64
	bytes   int64
	err     error
	flush   func(block []byte) (next []byte, err error)
}

// NewEmitter returns an Emitter that hands a block to flush whenever the block reaches limit bytes
// (a larger record makes a larger block). Flush then owns the block, and returns the buffer to fill
// next, which may be the same one.
func NewEmitter(limit int, flush func(block []byte) (next []byte, err error)) *Emitter {
	return &Emitter{limit: limit, flush: flush}
}

// Emit adds one record. Key and value are copied.
func (e *Emitter) Emit(key, value []byte) {
	if len(e.buf)+len(key)+len(value)+20 > e.limit && len(e.buf) > 0 {
		_ = e.Flush() // Err keeps the error
	}
	e.buf = Append(e.buf, key, value)
	e.records++
	e.bytes += int64(len(key) + len(value))
}

// Flush hands over the records gathered so far. It returns Err.
func (e *Emitter) Flush() error {
	if e.err != nil || len(e.buf) == 0 {
		e.buf = e.buf[:0]
		return e.err
	}
	e.buf, e.err = e.flush(e.buf)
	e.buf = e.buf[:0]
	return e.err
}

// EmitBlock emits the records of an encoded block, after those gathered so far. The records are
// copied.
func (e *Emitter) EmitBlock(block []byte) error {
	for len(block) > 0 && e.err == nil {
		key, value, n, err := Read(block)
		if err != nil {
			e.err = err
			break
		}
		e.Emit(key, value)
		block = block[n:]
	}
	return e.err
}

// Err returns the receiver's first error.
func (e *Emitter) Err() error { return e.err }

// Count returns the number of emitted records, and of the bytes of their keys and values.
func (e *Emitter) Count() (records, bytes int64) { return e.records, e.bytes }

// EmitString is Emit for strings.
func (e *Emitter) EmitString(key, value string) {
	if len(e.buf)+len(key)+len(value)+20 > e.limit && len(e.buf) > 0 {
		_ = e.Flush() // Err keeps the error
	}
	e.buf = binary.AppendUvarint(e.buf, uint64(len(key)))
	e.buf = binary.AppendUvarint(e.buf, uint64(len(value)))
	e.buf = append(append(e.buf, key...), value...)
	e.records++
	e.bytes += int64(len(key) + len(value))
}
