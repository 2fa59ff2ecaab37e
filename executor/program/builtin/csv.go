package builtin

import (
	"bytes"
	"errors"
)

var (
	errQuotes = errors.New("a quoted field does not end")
	errBareCR = errors.New("a carriage return (CR) outside quotes, which may or may not end the row: " +
		"quote the field, or end rows with LF or CRLF")
)

// csvReader splits CSV records (RFC 4180, see docs/csv.md) into fields. It uses the same memory for
// all of them.
type csvReader struct {
	// cr says that records may have a CR. A caller that reads many records searches all of them at
	// once.
	cr bool

	fields   [][]byte
	unquoted []byte // the text of quoted fields with quotes in them
}

// trim returns a record without the CRs at its end, which are part of the row's end.
func (r *csvReader) trim(record []byte) []byte {
	if r.cr {
		return bytes.TrimRight(record, "\r")
	}
	return record
}

// read returns the fields of a trimmed record, valid until the next call. They are parts of the
// record if possible. It fails if the record is not exactly one row.
func (r *csvReader) read(record []byte) ([][]byte, error) {
	cr := r.cr && bytes.IndexByte(record, '\r') >= 0
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
		field := record
		comma := bytes.IndexByte(record, ',')
		if comma >= 0 {
			field = record[:comma]
		}
		if cr && bytes.IndexByte(field, '\r') >= 0 {
			return nil, errBareCR
		}
		r.fields = append(r.fields, field)
		if comma < 0 {
			return r.fields, nil
		}
		record = record[comma+1:]
	}
}

// quoted reads the quoted field at the start of record, and returns its length with its quotes. A
// comma or nothing follows it.
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
			if record[at] == '\r' {
				return 0, errBareCR
			}
			return 0, errors.New("text follows a quoted field; a quote inside one must be doubled")
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
