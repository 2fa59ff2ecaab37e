package python

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errPickle says that data is not a pickled list, or not in the form in which the runner pickles.
var errPickle = errors.New("malformed pickle")

// The opcodes of pickle protocol 3 in lists of plain values, if nothing is memoized. Each pushes a
// value onto a stack, or makes one value of those on its top. See Lib/pickletools.py of CPython.
const (
	opProto      = 0x80
	opStop       = '.'
	opMark       = '('
	opNone       = 'N'
	opTrue       = 0x88
	opFalse      = 0x89
	opInt8       = 'K' // unsigned, as opInt16
	opInt16      = 'M'
	opInt32      = 'J'
	opLong1      = 0x8a // a byte of length, two's complement
	opLong4      = 0x8b // four of length
	opFloat      = 'G'
	opStr        = 'X'
	opShortBytes = 'C'
	opBytes      = 'B'
	opEmptyTuple = ')'
	opTuple1     = 0x85
	opTuple2     = 0x86
	opTuple3     = 0x87
	opTuple      = 't'
	opEmptyList  = ']'
	opAppend     = 'a'
	opAppends    = 'e'
	opEmptyDict  = '}'
	opSetItem    = 's'
	opSetItems   = 'u'
)

const (
	// maxPending bounds the values on the stack. Python adds values to a list or dict a thousand at
	// a time, but to a tuple all at once. The runner sends no tuple in a pickle longer than this;
	// each value takes at least a byte.
	maxPending = 1 << 18
	// maxNesting bounds the levels of a marshalled value; every marshal reads 1000.
	maxNesting = 500
	// containerHead is the length of the head of a marshalled tuple or list: a letter, and the
	// number of elements.
	containerHead = 5
	pickleVersion = 3
)

// pickled is a value on the stack, marshalled at out[at:end] unless it is raw.
type pickled struct {
	from, to int // where its pickle is
	at, end  int
	depth    int
	// raw says that the value contains a dict, or is nested too deep, so that only its pickle
	// exists.
	raw bool

	// For a tuple of two: where the second element is, and which elements are raw.
	second, valueFrom int
	rawKey, rawValue  bool
}

// unpickler translates values from pickle to marshal, whose containers begin with their length. It
// decodes neither form: it works on bytes.
type unpickler struct {
	data  []byte
	off   int
	out   []byte
	stack []pickled
	marks []int
	value []byte // the value of the last pair, if it is raw
}

// items reads the values of a list up to its APPENDS, in which case the first opcode is MARK, or up
// to its APPEND. Then off is the place of that opcode.
func (u *unpickler) items(data []byte, off int) ([]pickled, error) {
	u.data, u.off = data, off
	u.out, u.stack, u.marks = u.out[:0], u.stack[:0], u.marks[:0]
	for u.off < len(data) {
		op := data[u.off]
		switch {
		case op == opAppends && len(u.marks) == 1 && u.marks[0] == 0,
			op == opAppend && len(u.marks) == 0 && len(u.stack) == 1:
			return u.stack, nil
		}
		if err := u.step(op); err != nil {
			return nil, err
		}
		if len(u.stack)+len(u.marks) > maxPending {
			return nil, fmt.Errorf("%w: too many values wait", errPickle)
		}
	}
	return nil, fmt.Errorf("%w: it ends too early", errPickle)
}

// step executes the opcode at off.
func (u *unpickler) step(op byte) error {
	switch op {
	case opMark:
		u.marks = append(u.marks, len(u.stack))
		u.off++
		return nil
	case opEmptyTuple:
		return u.tuple(0)
	case opTuple1, opTuple2, opTuple3:
		return u.tuple(int(op) - opTuple1 + 1)
	case opTuple:
		n, err := u.marked()
		if err != nil {
			return err
		}
		// A MARK precedes the first element: the tuple's pickle begins there.
		return u.tuple(n)
	case opEmptyList:
		u.push(1, appendSized(u.out, '[', 0), 1)
		return nil
	case opEmptyDict:
		u.push(1, u.out, 1)
		u.stack[len(u.stack)-1].raw = true
		return nil
	case opAppend:
		return u.extend(1)
	case opSetItem:
		return u.extend(2)
	case opAppends, opSetItems:
		n, err := u.marked()
		if err != nil {
			return err
		}
		return u.extend(n)
	}
	return u.scalar(op)
}

// marked removes the last mark and returns how many values are above it.
func (u *unpickler) marked() (int, error) {
	if len(u.marks) == 0 {
		return 0, fmt.Errorf("%w: no mark", errPickle)
	}
	mark := u.marks[len(u.marks)-1]
	u.marks = u.marks[:len(u.marks)-1]
	return len(u.stack) - mark, nil
}

// push pushes the value of the next n bytes of data. Its marshalled form is the end of out.
func (u *unpickler) push(n int, out []byte, depth int) {
	u.stack = append(u.stack, pickled{from: u.off, to: u.off + n, at: len(u.out), end: len(out), depth: depth})
	u.off, u.out = u.off+n, out
}

// tuple makes a tuple of the last n values.
func (u *unpickler) tuple(n int) error {
	if n > len(u.stack) || len(u.marks) > 0 && len(u.stack)-n < u.marks[len(u.marks)-1] {
		return fmt.Errorf("%w: too few values for a tuple", errPickle)
	}
	elements := u.stack[len(u.stack)-n:]
	t := pickled{from: u.off, at: len(u.out), depth: 1}
	if n > 0 {
		t.from, t.at = elements[0].from, elements[0].at
	}
	if u.data[u.off] == opTuple {
		t.from = t.from - 1
	}
	for i := range elements {
		t.depth = max(t.depth, elements[i].depth+1)
		t.raw = t.raw || elements[i].raw
	}
	u.off++
	t.to = u.off
	if n == 2 {
		t.second, t.valueFrom = elements[1].at+containerHead, elements[1].from
		t.rawKey, t.rawValue = elements[0].raw, elements[1].raw
	}
	var head [containerHead]byte
	head[0] = '('
	binary.LittleEndian.PutUint32(head[1:], uint32(n)) //nolint:gosec // n is at most maxPending
	u.out = append(u.out, head[:]...)
	copy(u.out[t.at+len(head):], u.out[t.at:])
	copy(u.out[t.at:], head[:])
	u.stack = append(u.stack[:len(u.stack)-n], t)
	u.finish()
	return nil
}

// pair returns the encoded key and value of an item. A key that is not valid is empty. Both are
// valid until the next call.
func (u *unpickler) pair(item *pickled) (key, value []byte, err error) {
	if item.second == 0 {
		return nil, nil, errPair
	}
	if !item.rawKey {
		key = u.out[item.at+containerHead : item.second]
	}
	if !item.rawValue {
		return key, u.out[item.second:item.end], nil
	}
	u.value = append(u.value[:0], opProto, pickleVersion)
	u.value = append(u.value, u.data[item.valueFrom:item.to-1]...)
	return key, append(u.value, opStop), nil
}

// extend adds the last n values to the list or dict below them.
func (u *unpickler) extend(n int) error {
	at := len(u.stack) - n - 1
	if at < 0 || len(u.marks) > 0 && at < u.marks[len(u.marks)-1] {
		return fmt.Errorf("%w: too few values for a list or dict", errPickle)
	}
	into := &u.stack[at]
	if !into.raw && u.out[into.at] != '[' {
		return fmt.Errorf("%w: it adds values to something that is not a list", errPickle)
	}
	for i := range u.stack[at+1:] {
		element := &u.stack[at+1+i]
		into.depth = max(into.depth, element.depth+1)
		into.raw = into.raw || element.raw
	}
	u.off++
	into.to = u.off
	if !into.raw {
		count := u.out[into.at+1 : into.at+5]
		binary.LittleEndian.PutUint32(count, binary.LittleEndian.Uint32(count)+uint32(n)) //nolint:gosec // n is at most maxPending
	}
	u.stack = u.stack[:at+1]
	u.finish()
	return nil
}

// finish sets the end of the top value to the end of out.
func (u *unpickler) finish() {
	top := &u.stack[len(u.stack)-1]
	top.raw = top.raw || top.depth > maxNesting
	top.end = len(u.out)
}

// scalar pushes a value that contains no others.
func (u *unpickler) scalar(op byte) error {
	switch op {
	case opNone:
		u.push(1, append(u.out, 'N'), 0)
		return nil
	case opTrue:
		u.push(1, append(u.out, 'T'), 0)
		return nil
	case opFalse:
		u.push(1, append(u.out, 'F'), 0)
		return nil
	}
	head, n, err := u.sized(op)
	if err != nil {
		return err
	}
	if n > len(u.data)-u.off-head {
		return fmt.Errorf("%w: it ends too early", errPickle)
	}
	bytes := u.data[u.off+head : u.off+head+n]
	out := u.out
	switch op {
	case opInt8:
		out = appendInt32(out, int32(bytes[0]))
	case opInt16:
		out = appendInt32(out, int32(binary.LittleEndian.Uint16(bytes)))
	case opInt32:
		out = append(append(out, 'i'), bytes...)
	case opLong1, opLong4:
		out = appendLong(out, bytes)
	case opFloat:
		out = append(out, 'g')
		out = binary.LittleEndian.AppendUint64(out, binary.BigEndian.Uint64(bytes))
	case opStr:
		out = append(appendSized(out, 'u', n), bytes...)
	default:
		out = append(appendSized(out, 's', n), bytes...)
	}
	u.push(head+n, out, 0)
	return nil
}

// sized returns the length of the opcode at off together with its length field, and the length of
// its data.
func (u *unpickler) sized(op byte) (head, n int, err error) {
	rest := u.data[u.off+1:]
	switch op {
	case opInt8:
		return 1, 1, nil
	case opInt16:
		return 1, 2, nil
	case opInt32:
		return 1, 4, nil
	case opFloat:
		return 1, 8, nil
	case opLong1, opShortBytes:
		if len(rest) > 0 {
			return 2, int(rest[0]), nil
		}
	case opLong4, opStr, opBytes:
		if len(rest) >= 4 {
			return 5, int(binary.LittleEndian.Uint32(rest)), nil
		}
	default:
		return 0, 0, fmt.Errorf("%w: opcode %#x", errPickle, op)
	}
	return 0, 0, fmt.Errorf("%w: it ends too early", errPickle)
}
