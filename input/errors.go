package input

import (
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/objstore"
)

// ErrInput is the class of all errors in the input's content: they come again however often the
// split is read.
var ErrInput = errors.New("the input can't be read")

// RecordTooLongError reports a record that is longer than the limit.
type RecordTooLongError struct {
	Object string // URL
	Offset int64  // of the record's first byte, after decompression
	Limit  int64  // Options.MaxRecord, in bytes
}

func (e *RecordTooLongError) Error() string {
	return fmt.Sprintf("%s: the record at byte %d is longer than the limit of %d bytes that a record may take in memory",
		objstore.Shown(e.Object), e.Offset, e.Limit)
}

// Is makes every RecordTooLongError an ErrInput.
func (e *RecordTooLongError) Is(target error) bool { return target == ErrInput }

// FormatError reports an object without the form that its name or the job promises.
type FormatError struct {
	Object string // URL
	Offset int64  // after decompression, the byte before which all was good; or NoOffset
	Reason string
	Err    error // the decoder's; may be nil
}

// NoOffset is the Offset of a FormatError if the whole object is wrong, or the reason tells the
// place.
const NoOffset = -1

func (e *FormatError) Error() string {
	s := fmt.Sprintf("%s: at byte %d: %s", objstore.Shown(e.Object), e.Offset, e.Reason)
	if e.Offset == NoOffset {
		s = objstore.Shown(e.Object) + ": " + e.Reason
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is makes every FormatError an ErrInput.
func (e *FormatError) Is(target error) bool { return target == ErrInput }

func (e *FormatError) Unwrap() error { return e.Err }

// Change is how an object differs from the one in the plan.
type Change uint8

const (
	Replaced Change = iota // another version has its name
	Shorter
	Longer
	Gone
)

var changes = [...]string{"another version has replaced it", "it is shorter now", "it is longer now", "it is gone"}

// ChangedError reports an object that is no longer the one in the plan.
type ChangedError struct {
	Object string // URL
	Size   int64  // in the plan, in bytes
	How    Change
	Err    error // the store's; may be nil
}

func (e *ChangedError) Error() string {
	s := fmt.Sprintf("%s changed after the job was planned, with %d bytes: %s; run the job again when its input no longer changes", objstore.Shown(e.Object), e.Size, changes[e.How])
	if e.Err != nil {
		s += " (" + e.Err.Error() + ")"
	}
	return s
}

// Is makes every ChangedError an ErrInput.
func (e *ChangedError) Is(target error) bool { return target == ErrInput }

func (e *ChangedError) Unwrap() error { return e.Err }

// failure is an error that is not io.EOF even if it wraps it, as errors of broken connections do: a
// caller that asks errors.Is(err, io.EOF) must not take it for the end of the records.
type failure struct{ error }

func (e failure) Is(target error) bool { return target != io.EOF && errors.Is(e.error, target) }
func (e failure) As(target any) bool   { return errors.As(e.error, target) }
