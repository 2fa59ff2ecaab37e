package csv

import (
	"bytes"
	"errors"

	"github.com/bucketmill/bucketmill/input"
)

// header returns a header without its line end. Line starts at offset off of an object. It fails for one that
// names no column, and for one with a CR that may end a row: of an object whose rows all end with a CR, the header
// would be all there is.
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

// headerError returns err, which reading the header at offset off failed with, or what is likelier to be wrong with a
// header that is too long: that rows end with CR. Data starts with what was read of it.
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
