package record

import (
	"bytes"
	"io"
)

// Groups reads sorted record blocks as keys with their values:
//
//	for g.Next() {
//		for v, ok := g.Value(); ok; v, ok = g.Value() {
//			…
//		}
//	}
//	if err := g.Err(); err != nil { … }
//
// Values are streamed: a key may have more of them than memory holds.
type Groups struct {
	next  func() ([]byte, error)
	block []byte // not yet consumed
	key   []byte // a copy of the group's key
	value []byte // the next value; aliases block
	has   bool   // value has not been returned yet
	begun bool   // more values of key may follow
	err   error
}

// NewGroups returns the groups of the blocks that next returns until io.EOF. A block must stay
// valid until the next call of next.
func NewGroups(next func() ([]byte, error)) *Groups { return &Groups{next: next} }

// Next advances to the next key. It skips values that were not read.
func (g *Groups) Next() bool {
	for more := g.begun; more; {
		_, more = g.Value()
	}
	if g.err != nil || !g.fill() {
		return false
	}
	key, value, n, err := Read(g.block)
	if err != nil {
		g.err = err
		return false
	}
	g.key = append(g.key[:0], key...)
	g.value, g.has, g.begun = value, true, true
	g.block = g.block[n:]
	return true
}

// Key returns the current key. It is valid until Next.
func (g *Groups) Key() []byte { return g.key }

// Value returns the next value of the current key, or false after the last one. The value is valid
// until the next call of Value or Next.
func (g *Groups) Value() ([]byte, bool) {
	if g.has {
		g.has = false
		return g.value, true
	}
	if g.err != nil || !g.begun || !g.fill() {
		return nil, false
	}
	key, value, n, err := Read(g.block)
	if err != nil {
		g.err = err
		return nil, false
	}
	if !bytes.Equal(key, g.key) {
		g.begun = false
		return nil, false
	}
	g.block = g.block[n:]
	return value, true
}

// fill makes block contain a record; it returns false at the end or after an error.
func (g *Groups) fill() bool {
	for len(g.block) == 0 {
		block, err := g.next()
		if err == io.EOF {
			g.next = ended
			return false
		}
		if err != nil {
			g.err = err
			return false
		}
		g.block = block
	}
	return true
}

// ended is the source of blocks after the end.
func ended() ([]byte, error) { return nil, io.EOF }

// Err returns the first error, or nil if the stream ended without one.
func (g *Groups) Err() error { return g.err }
