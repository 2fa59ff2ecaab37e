package frames

import (
	"encoding/json"
	"fmt"
)

// Role says what a guest is started for.
type Role string

const (
	RoleMap    Role = "map"    // BATCH frames in, intermediate records out
	RoleReduce Role = "reduce" // sorted RECORDS in, output records out
	RoleCheck  Role = "check"  // say READY or ERROR, then end: is this program fit to run?
)

// Hello opens a conversation.
type Hello struct {
	Role Role `json:"role"`
	// Job is the job's id; empty in a check.
	Job string `json:"job,omitempty"`
	// Task and Attempt count from 0.
	Task    int `json:"task"`
	Attempt int `json:"attempt"`
	// Params are the job's.
	Params map[string]string `json:"params"`
	// Format is the input format's name: text, csv, jsonl, …
	Format string `json:"format,omitempty"`
	// Reducers is the number of reduce tasks.
	Reducers int `json:"reducers"`
	// MapOnly says that what the mapper emits is the job's output.
	MapOnly bool `json:"map_only,omitempty"`
	// SortValues says that a reducer gets the values of each key sorted by their bytes.
	SortValues bool `json:"sort_values,omitempty"`
	// Memory is what the process may use, in bytes; 0 means that nobody set a limit.
	Memory int64 `json:"memory,omitempty"`
}

// Ready answers a Hello.
type Ready struct {
	// HasCombine says that the guest combines what it maps, for people to know.
	HasCombine bool `json:"has_combine"`
	// Sums says that the guest does nothing but to add up the ints of a key, so that the host may.
	Sums bool `json:"sums,omitempty"`
}

// Done closes a conversation.
type Done struct {
	Counters map[string]int64 `json:"counters,omitempty"`
	// MapOutput is how many records the mapper has emitted, if a combiner of the guest's has made
	// fewer of them; 0 means that they are those that came.
	MapOutput int64 `json:"map_output,omitempty"`
}

// Failure says why a guest cannot go on.
type Failure struct {
	// Message is one sentence: for an exception its type and text.
	Message string `json:"message"`
	// Traceback is as many lines as the guest's language gives; may be empty.
	Traceback string `json:"traceback,omitempty"`
	// File and Line are the place in the user's source; Line is 0 if it is not known.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Record is what was being worked on; nil if it was none.
	Record *FailedRecord `json:"record,omitempty"`
	// Again says of a failure before READY that it may not come again, so that it is worth to try.
	// Without it the job fails at once.
	Again bool `json:"again,omitempty"`
	// Everywhere says that the program's own text is at fault, so that it fails on every machine.
	Everywhere bool `json:"everywhere,omitempty"`
}

// FailedRecord points to the record that a guest failed on.
type FailedRecord struct {
	// Input is the object's URL, Offset the record's place in it; for a mapper only.
	Input  string `json:"input,omitempty"`
	Offset int64  `json:"offset"`
	// Key and Value are previews, quoted, of at most 200 bytes.
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
}

// WriteMessage writes a HELLO, READY, DONE or ERROR frame with message as its JSON.
func (f *Writer) WriteMessage(t Type, message any) error {
	payload, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode %v: %w", t, err)
	}
	if t == TypeHello || t == TypeReady {
		return f.Write(t, []byte{ProtocolVersion}, payload)
	}
	return f.Write(t, payload)
}

// Decode reads the payload of a HELLO, READY, DONE or ERROR frame into message. It
// fails with ErrFrame for another version and for what is not JSON. Fields that it does not
// know are passed over, so that they can be added.
func Decode(t Type, payload []byte, message any) error {
	if t == TypeHello || t == TypeReady {
		if len(payload) == 0 {
			return fmt.Errorf("%w: %v without a version", ErrMalformed, t)
		}
		if payload[0] != ProtocolVersion {
			return fmt.Errorf("%w: %v of protocol version %d, this is %d", ErrMalformed, t, payload[0], ProtocolVersion)
		}
		payload = payload[1:]
	}
	if err := json.Unmarshal(payload, message); err != nil {
		return fmt.Errorf("%w: %v: %w", ErrMalformed, t, err)
	}
	return nil
}
