package csv

import (
	"bytes"
	"errors"

	"github.com/bucketmill/bucketmill/input"
)

// header returns a header without its line end. Line starts at offset off of an object. A header
// without a column is an error. So is one with a CR that may end a row: if all rows of an object
// end with CR, its header would be the whole object.
func header(object string, off int64, line []byte) ([]byte, error) {
	h := bytes.TrimRight(trimLineEnd(line), "\r")
	if len(h) == 0 {
		return nil, &input.FormatError{Object: object, Offset: off, Reason: "the first line is empty; it must name the columns"}
	}
	if hasBareCR(h) {
		return nil, &input.FormatError{Object: object, Offset: off, Reason: crInHeader}
	}
	return h, nil
}

const crInHeader = "the header has a carriage return (CR) outside quotes: rows end with LF or CRLF; if this object ends " +
	"them with CR alone, convert it, for example with tr '\\r' '\\n'"

// headerError returns the error if reading the header at offset off failed with err. If the header
// is too long, the likely reason is that rows end with CR. Data starts with what was read of the
// header.
func headerError(err error, off int64, data []byte) error {
	var long *input.RecordTooLongError
	if !errors.As(err, &long) || long.Offset != off {
		return err
	}
	line, _, _ := bytes.Cut(data, []byte{'\n'})
	if !hasBareCR(bytes.TrimRight(line, "\r")) {
		return err
	}
	return &input.FormatError{Object: long.Object, Offset: off, Reason: crInHeader, Err: err}
}
