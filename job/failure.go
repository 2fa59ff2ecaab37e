package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Class is the kind of a failure. Each class has its own limit.
type Class string

const (
	ClassUser     Class = "user"     // the program failed, or the input is not what the job says
	ClassStuck    Class = "stuck"    // no progress for as long as the job allows; counts as user
	ClassInfra    Class = "infra"    // store, disk, network
	ClassLost     Class = "lost"     // the executor went silent
	ClassReleased Class = "released" // an executor that stops returned the task; not a failure
	ClassSegment  Class = "segment"  // a committed segment file was missing or corrupt
	ClassJob      Class = "job"      // the job as a whole: planning, publishing, cancelling
)

// Failure says what went wrong with an attempt, or with the job.
type Failure struct {
	Attempt  string     `json:"attempt,omitempty"` // "m12.1"
	Executor ExecutorID `json:"executor,omitempty"`
	Class    Class      `json:"class"`
	At       int64      `json:"at,omitempty"` // ms since 1970
	Message  string     `json:"message"`
	Detail   string     `json:"detail,omitempty"` // a traceback
	Record   string     `json:"record,omitempty"` // the record that caused it, shortened
	Log      string     `json:"log,omitempty"`    // the attempt's last lines on stderr
}

// The limits of a failure's texts in Redis, in bytes of JSON. A longer text is cut: a log and a
// traceback at the front, because their ends matter most.
const (
	maxMessage = 1 << 10
	maxDetail  = 3 << 10
	maxRecord  = 1 << 10
	maxLog     = 3 << 10
)

// Encode returns the failure as JSON, shortened to about 8 KiB.
func (f Failure) Encode() (string, error) {
	if f.At == 0 {
		f.At = time.Now().UnixMilli()
	}
	f.Message = head(f.Message, maxMessage)
	f.Detail = tail(f.Detail, maxDetail)
	f.Record = head(f.Record, maxRecord)
	f.Log = tail(f.Log, maxLog)
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(f); err != nil {
		return "", fmt.Errorf("encode failure: %w", err)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

const ellipsis = "…"

// head returns the longest beginning of s that fits into most bytes of JSON.
func head(s string, most int) string {
	size, cut := 0, 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		size += jsonSize(r, n)
		i += n
		if size > most {
			return s[:cut] + ellipsis
		}
		if size <= most-len(ellipsis) {
			cut = i
		}
	}
	return s
}

// tail returns the longest end of s that fits into most bytes of JSON.
func tail(s string, most int) string {
	size, cut := 0, len(s)
	for i := len(s); i > 0; {
		r, n := utf8.DecodeLastRuneInString(s[:i])
		size += jsonSize(r, n)
		i -= n
		if size > most {
			return ellipsis + s[cut:]
		}
		if size <= most-len(ellipsis) {
			cut = i
		}
	}
	return s
}

// jsonSize returns how many bytes encoding/json writes for a rune of n bytes.
func jsonSize(r rune, n int) int {
	switch {
	case r == '"', r == '\\', r == '\n', r == '\r', r == '\t', r == '\b', r == '\f':
		return 2
	case r < ' ', r == '\u2028', r == '\u2029', r == utf8.RuneError && n == 1:
		return 6
	}
	return n
}
