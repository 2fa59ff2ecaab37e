package program

import (
	"bytes"
	"errors"
)

var errQuotes = errors.New("a quoted field does not end")

// csvReader splits CSV records (RFC 4180) into fields, using the same memory for all of them.
type csvReader struct {
	fields   [][]byte
	unquoted []byte // what quoted fields with quotes in them stand for
}

// read returns the record's fields, valid until the next call: parts of the record where
// that is possible.
func (r *csvReader) read(record []byte) ([][]byte, error) {
	r.fields, r.unquoted = r.fields[:0], r.unquoted[:0]
	for {
		if len(record) > 0 && record[0] == '"' {
			n, err := r.quoted(record)
			if err != nil {
				return nil, err
			}
			record = record[n:]
			if len(record) == 0 {
				return r.fields, nil
			}
			record = record[1:]
			continue
		}
		comma := bytes.IndexByte(record, ',')
		if comma < 0 {
			r.fields = append(r.fields, record)
			return r.fields, nil
		}
		r.fields = append(r.fields, record[:comma])
		record = record[comma+1:]
	}
}

// quoted takes the quoted field that record starts with, and returns its length with its
// quotes. A comma or nothing follows.
func (r *csvReader) quoted(record []byte) (int, error) {
	doubled := false
	for at := 1; ; {
		i := bytes.IndexByte(record[at:], '"')
		if i < 0 {
			return 0, errQuotes
		}
		at += i + 1
		if at < len(record) && record[at] == '"' {
			doubled = true
			at++
			continue
		}
		if at < len(record) && record[at] != ',' {
			return 0, errors.New("text follows a quoted field")
		}
		field := record[1 : at-1]
		if doubled {
			field = r.undouble(field)
		}
		r.fields = append(r.fields, field)
		return at, nil
	}
}

func (r *csvReader) undouble(field []byte) []byte {
	begin := len(r.unquoted)
	for {
		i := bytes.IndexByte(field, '"')
		if i < 0 {
			r.unquoted = append(r.unquoted, field...)
			return r.unquoted[begin:]
		}
		r.unquoted = append(r.unquoted, field[:i+1]...)
		field = field[i+2:]
	}
}
