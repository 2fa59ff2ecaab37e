package program

import (
	"fmt"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/objstore"
)

// UserError is a fault of the user's program, or of the record that it was given.
type UserError struct {
	// Program is the program's name.
	Program string
	// Message is one sentence; for an exception, its type and text.
	Message string
	// Traceback has the frames in the user's files, or the last lines of the log if the process
	// died. It may be empty.
	Traceback string
	// File and Line are the place in the source; Line is 0 if it is unknown.
	File string
	Line int
	// Record is the record that the program was working on; nil if there was none, or it is
	// unknown.
	Record *RecordRef
	// Final says that no other attempt can succeed: the program does not even start.
	Final bool
	// Everywhere says that the program fails on every machine, whatever is installed there.
	Everywhere bool
	// Cause is the underlying error, if there is one.
	Cause error
}

// Unwrap returns the underlying error.
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

// Died returns a UserError about how a process ended, with the end of its log.
func Died(name string, p *process.Process, message string) *UserError {
	if p.WasKilled() {
		message += " (was it out of memory?)"
	}
	return &UserError{Program: name, Message: message, Traceback: p.LastLines()}
}
