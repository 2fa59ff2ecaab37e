package python

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// groupBytes is the length at which a GROUPS or RUN frame is written.
const groupBytes = 256 << 10

// grouper turns sorted records into frames for a Python reducer: GROUPS, which are lists of keys
// with all their values, and RUN, which is a part of the values of one key, if there are many. Both
// are marshalled, so that C reads them.
type grouper struct {
	write func(t frames.Type, parts ...[]byte) error
	// sum adds up the ints of each key.
	sum bool

	buf    []byte // a list of groups; once begun, the last one is open
	closed int    // number of groups that are not open
	begun  bool
	key    []byte // of the open group, as in the records
	begin  int    // offset of the open group in buf
	list   int    // offset of its list of values
	values int    // number of its values
	odd    []byte // marshalled indexes of its values that are not marshalled
	part   bool   // a RUN of the open group was written

	total    int64
	hasTotal bool
}

// Take adds a block of records.
func (g *grouper) Take(block []byte) error {
	for len(block) > 0 {
		key, value, n, err := record.Read(block)
		if err != nil {
			return err
		}
		block = block[n:]
		if !g.begun || !bytes.Equal(key, g.key) {
			if err := g.close(); err != nil {
				return err
			}
			g.key, g.begun = append(g.key[:0], key...), true
			g.open()
		} else if len(g.buf)-g.begin >= groupBytes {
			if err := g.run(); err != nil {
				return err
			}
			g.part = true
			g.open()
		}
		g.add(value)
	}
	return nil
}

// open begins a group, or the next part of a group.
func (g *grouper) open() {
	if len(g.buf) == 0 {
		g.buf = appendSized(g.buf, '[', 0)
	}
	g.begin = len(g.buf)
	g.buf = appendSized(g.buf, '(', 2)
	if len(g.key) > 0 && g.key[0] == TextKey {
		g.buf = append(appendSized(g.buf, 'u', len(g.key)-1), g.key[1:]...)
	} else {
		g.buf = append(appendSized(g.buf, 's', len(g.key)), g.key...)
	}
	g.list = len(g.buf)
	g.buf = appendSized(g.buf, '[', 0)
	g.values, g.odd = 0, g.odd[:0]
}

// add adds a value to the open group.
func (g *grouper) add(value []byte) {
	if g.sum {
		if n, ok := readInt(value); ok {
			if g.hasTotal && (n > 0 && g.total > math.MaxInt64-n || n < 0 && g.total < math.MinInt64-n) {
				g.addTotal()
			}
			g.total, g.hasTotal = g.total+n, true
			return
		}
	}
	if len(value) == 0 || value[0] >= 0x80 {
		g.odd = appendInt32(g.odd, int32(g.values)) //nolint:gosec // no frame has that many
		g.buf = appendSized(g.buf, 's', len(value))
	}
	g.buf = append(g.buf, value...)
	g.values++
}

func (g *grouper) addTotal() {
	if g.hasTotal {
		g.buf = appendInt(g.buf, g.total)
		g.values++
		g.total, g.hasTotal = 0, false
	}
}

// end ends the list of the open group's values.
func (g *grouper) end() {
	g.addTotal()
	binary.LittleEndian.PutUint32(g.buf[g.list+1:], uint32(g.values)) //nolint:gosec // no frame has that many
	if len(g.odd) > 0 {
		g.buf[g.begin+1] = 3
		g.buf = append(appendSized(g.buf, '[', len(g.odd)/len(appendInt32(nil, 0))), g.odd...)
	}
}

// close closes the open group, and writes all groups if they are long enough.
func (g *grouper) close() error {
	switch {
	case !g.begun:
		return nil
	case g.part:
		return g.run()
	}
	g.end()
	g.closed++
	if len(g.buf) < groupBytes {
		return nil
	}
	return g.flush(len(g.buf))
}

// run writes the values of the open group so far.
func (g *grouper) run() error {
	g.end()
	run := g.buf[g.begin:]
	if err := g.flush(g.begin); err != nil {
		return err
	}
	g.part = false
	return g.write(frames.TypeRun, run)
}

// flush writes the closed groups, which are buf up to end, and empties buf.
func (g *grouper) flush(end int) error {
	groups := g.buf[:end]
	g.buf = g.buf[:0]
	if g.closed == 0 {
		return nil
	}
	binary.LittleEndian.PutUint32(groups[1:], uint32(g.closed)) //nolint:gosec // no frame has that many
	g.closed = 0
	return g.write(frames.TypeGroups, groups)
}

// Finish writes what is left.
func (g *grouper) Finish() error {
	if err := g.close(); err != nil {
		return err
	}
	g.begun = false
	return g.flush(len(g.buf))
}
