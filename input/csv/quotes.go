package csv

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Quotes mean the same in both formats of CSV: what RFC 4180 says about well-formed rows, and what
// Python's csv module does with all others:
//
//   - A quote opens a field only as its first byte: at the start of a row, after a comma, or after
//     a CR outside quotes. Anywhere else outside quotes it is text.
//   - Inside quotes, two quotes are one quote of the field's text; a single quote closes. LF, CR and
//     commas are text.
//   - Outside quotes, LF ends the row, and CRs before it or before the object's end belong to that
//     end. Whether any other CR outside quotes is meant to end a row is unknown. The row does not end
//     there, so that programs that get rows as text lose no byte; a decoder of rows must fail (see
//     docs/csv.md).

// quotes is the state of a walk over rows.
type quotes struct {
	open   bool // inside quotes
	closed int  // where the last quoted text ended: a quote there continues it; 0 before the first
}

// Eight bytes as one word.
const (
	quote8 = 0x2222222222222222
	low7   = 0x7f7f7f7f7f7f7f7f // all bits of each byte, except the highest
)

// walk continues from data[from] to data[to]. Data starts with a row. It looks for quotes in eight
// bytes at a time: to search for each quote would be slow in rows with many short quoted fields.
func (q quotes) walk(data []byte, from, to int) quotes {
	for ; from+8 <= to; from += 8 {
		word := binary.LittleEndian.Uint64(data[from:]) ^ quote8
		// The highest bit of each byte that is zero now.
		for found := ^((word&low7 + low7) | word | low7); found != 0; found &= found - 1 {
			q = q.quote(data, from+bits.TrailingZeros64(found)/8)
		}
	}
	for ; from < to; from++ {
		if data[from] == '"' {
			q = q.quote(data, from)
		}
	}
	return q
}

// quote walks over the quote data[i].
func (q quotes) quote(data []byte, i int) quotes {
	if q.open {
		return quotes{false, i + 1}
	}
	if i == q.closed {
		q.open = true // the second of two, or a row's first byte
	} else if before := data[i-1]; before == ',' || before == '\n' || before == '\r' {
		q.open = true
	}
	return q
}

// hasBareCR reports whether a row has a CR outside quotes.
func hasBareCR(row []byte) bool {
	var q quotes
	for at := 0; ; at++ {
		i := bytes.IndexByte(row[at:], '\r')
		if i < 0 {
			return false
		}
		if q = q.walk(row, at, at+i); !q.open {
			return true
		}
		at += i
	}
}

// trimLineEnd returns line without the LF or CRLF at its end.
func trimLineEnd(line []byte) []byte {
	if trimmed, ok := bytes.CutSuffix(line, []byte{'\n'}); ok {
		return bytes.TrimSuffix(trimmed, []byte{'\r'})
	}
	return line
}
