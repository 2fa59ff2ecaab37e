package mapred

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/bucketmill/bucketmill/internal/record"
)

// An Emitter takes the records that a program emits, and copies them. Emitting does not fail: if
// records can't be passed on, the attempt fails after the call. An Emitter belongs to one
// goroutine.
//
// A record of the output is a line: the key, a tab, the value.
type Emitter struct {
	records *record.Emitter // where records go
	columns *columnsBuffer  // where the integers of a mapper go in a job with Columns; nil otherwise
	width   int             // how many integers a value has; 0 means any number
	value   []byte          // scratch
	misused error           // of the first call that does not suit the job
}

// Emit emits a record.
func (e *Emitter) Emit(key, value []byte) {
	if e.width > 0 {
		e.misuse(errors.New("the job has Columns, whose values are emitted with EmitInts, not with Emit"))
		return
	}
	e.records.Emit(key, value)
}

// EmitString is Emit for strings.
func (e *Emitter) EmitString(key, value string) {
	if e.width > 0 {
		e.misuse(errors.New("the job has Columns, whose values are emitted with EmitInts, not with EmitString"))
		return
	}
	e.records.EmitString(key, value)
}

// EmitInts emits a key with integers. A mapper in a job with Columns emits one for each column.
// Anywhere else, the value is their decimal digits, with tabs between.
func (e *Emitter) EmitInts(key []byte, ints ...int64) {
	switch {
	case e.width > 0 && len(ints) != e.width:
		e.misuse(fmt.Errorf("EmitInts got %d integers; the job has %d Columns", len(ints), e.width))
	case e.columns == nil:
		e.value = appendInts(e.value[:0], ints)
		e.records.Emit(key, e.value)
	default:
		e.columns.addInts(key, ints)
	}
}

func appendInts(dst []byte, ints []int64) []byte {
	for i, n := range ints {
		if i > 0 {
			dst = append(dst, '\t')
		}
		dst = strconv.AppendInt(dst, n, 10)
	}
	return dst
}

func (e *Emitter) misuse(err error) {
	if e.misused == nil {
		e.misused = err
	}
}

// err returns what has gone wrong so far.
func (e *Emitter) err() error {
	if e.misused != nil {
		return e.misused
	}
	return e.records.Err()
}

// flush passes everything on.
func (e *Emitter) flush() error {
	if e.columns != nil {
		e.columns.drain()
	}
	return errors.Join(e.misused, e.records.Flush())
}

// count returns how many records were emitted.
func (e *Emitter) count() int64 {
	if e.columns != nil {
		return e.columns.added
	}
	records, _ := e.records.Count()
	return records
}
