package mapred

import "github.com/bucketmill/bucketmill/internal/record"

// An Emitter takes a program's output records. It belongs to one goroutine.
type Emitter = record.Emitter

// NewEmitter returns an Emitter, for tests: see record.NewEmitter.
func NewEmitter(limit int, flush func(block []byte) (next []byte, err error)) *Emitter {
	return record.NewEmitter(limit, flush)
}
