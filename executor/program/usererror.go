package program

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
)

// UserError is a fault of the user's program, or of the record that it was given.
type UserError struct {
	// Program is the program's name.
	Program string
	// Message is one sentence; for an exception its type and text.
	Message string
	// Traceback has the frames in the user's files, or the last lines of the log when the
	// process died; may be empty.
	Traceback string
	// File and Line are the place in the source; Line is 0 if it is not known.
	File string
	Line int
	// Record is what was being worked on; nil if none was, or it is not known.
	Record *RecordRef
	// Final says that no other attempt can succeed: the program does not even start.
	Final bool
	// Everywhere says that it is the same on every machine, whatever is installed there.
	Everywhere bool
	// Cause is the error behind it, if there is one.
	Cause error
}

// Unwrap returns the error behind it.
func (e *UserError) Unwrap() error { return e.Cause }

// RecordRef points to a record.
type RecordRef struct {
	// Input is the object's URL; empty for a record of a reducer.
	Input string
	// Offset is the record's place in the object, in bytes.
	Offset int64
	// Key and Value are quoted previews of at most about 200 bytes; either may be empty.
	Key, Value string
}

// Error returns everything but the traceback, in one line.
func (e *UserError) Error() string {
	var s strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&s, "%s:%d: ", e.File, e.Line)
	} else {
		fmt.Fprintf(&s, "%s: ", e.Program)
	}
	s.WriteString(strings.TrimSpace(e.Message))
	if e.Record != nil {
		fmt.Fprintf(&s, " (%s)", e.Record)
	}
	return s.String()
}

// String says where the record is and how it begins.
func (r *RecordRef) String() string {
	var parts []string
	if r.Input != "" {
		parts = append(parts, fmt.Sprintf("%s at byte %d", objstore.Shown(r.Input), r.Offset))
	}
	if r.Key != "" {
		parts = append(parts, "key "+r.Key)
	}
	if r.Value != "" {
		parts = append(parts, "value "+r.Value)
	}
	return strings.Join(parts, ", ")
}

// userError makes a UserError of what a guest sent.
func userError(name string, f frames.Failure) *UserError {
	e := &UserError{
		Program: name, Message: f.Message, Traceback: f.Traceback, File: f.File, Line: f.Line, Everywhere: f.Everywhere,
	}
	if r := f.Record; r != nil {
		e.Record = &RecordRef{Input: r.Input, Offset: r.Offset, Key: r.Key, Value: r.Value}
	}
	return e
}

// recordError is a UserError about one input record.
func recordError(name string, b *record.Batch, offset int64, value []byte, format string, args ...any) *UserError {
	return &UserError{
		Program: name,
		Message: fmt.Sprintf(format, args...),
		Record:  &RecordRef{Input: b.Input, Offset: offset, Value: preview(value)},
	}
}

// previewLen is how many bytes of a record an error shows, quoted.
const previewLen = 200

func preview(b []byte) string {
	if q := strconv.Quote(string(b[:min(len(b), previewLen)])); len(q) <= previewLen {
		return q
	}
	// Quoting makes at most four of one byte.
	return strconv.Quote(string(b[:min(len(b), previewLen/4-4)])) + "…"
}
