package badrecords

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// Saver writes an attempt's bad records to the work store, one line of JSON for each, as a checked
// object. The object does not exist before Commit.
type Saver struct {
	bucket  objstore.Bucket
	key     string
	attempt job.AttemptID
	w       *objstore.CheckedWriter // nil before the first record
}

// NewSaver returns a Saver that writes an attempt's bad records to key. It makes no request.
func NewSaver(bucket objstore.Bucket, key string, attempt job.AttemptID) *Saver {
	return &Saver{bucket: bucket, key: key, attempt: attempt}
}

// Add adds a record, and how the program failed on it.
func (s *Saver) Add(ctx context.Context, r Record, why *program.UserError) error {
	if s.w == nil {
		w, err := s.bucket.Create(ctx, s.key)
		if err != nil {
			return err
		}
		s.w = objstore.NewCheckedWriter(w)
	}
	r.Job, r.Task = s.attempt.Job, s.attempt.Task.String()
	r.Error, r.Traceback = why.Error(), why.Traceback
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a bad record: %w", err)
	}
	_, err = s.w.Write(append(line, '\n'))
	return err
}

// Commit makes the object visible. At least one record must have been added.
func (s *Saver) Commit() error {
	_, err := s.w.Commit()
	return err
}

// Abort throws away what was written before Commit.
func (s *Saver) Abort() error {
	if s.w == nil {
		return nil
	}
	return s.w.Abort()
}

// Delete deletes the committed object.
func (s *Saver) Delete(ctx context.Context) error { return s.bucket.Delete(ctx, s.key) }

// Record is a line of a _skipped object. The job comes first: the clean-up looks for it there.
type Record struct {
	Job       job.ID  `json:"job"`
	Task      string  `json:"task"`             // "m12"
	Input     string  `json:"input,omitempty"`  // the object's URL; of a map task
	Offset    *int64  `json:"offset,omitempty"` // in the object, after decompression, in bytes; of a map task
	Record    int64   `json:"record"`           // its ordinal in the task, from 0; of a reduce task the key's
	Key       *Shown  `json:"key,omitempty"`    // of a reduce task
	Value     *Shown  `json:"value,omitempty"`  // of a map task
	Values    int64   `json:"values,omitempty"` // how many values the key has
	First     []Shown `json:"first_values,omitempty"`
	Error     string  `json:"error"`
	Traceback string  `json:"traceback,omitempty"`
}

// How much is kept of a bad record.
const (
	ShownBytes      = 64 << 10 // of a key, or of a map task's record, in bytes
	ShownValues     = 10       // values of a key
	ShownValueBytes = 4 << 10  // of each of them, in bytes
)

// Shown is the beginning of a key or value: as text if it is UTF-8.
type Shown struct {
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	Bytes  int    `json:"bytes"` // the full length
}

// Show copies the first most bytes of data, or up to three less, so that no character is cut.
func Show(data []byte, most int) *Shown {
	s := Shown{Bytes: len(data)}
	head := data[:min(len(data), most)]
	for cut := 0; cut < utf8.UTFMax && cut <= len(head); cut++ {
		if utf8.Valid(head[:len(head)-cut]) {
			s.Text = string(head[:len(head)-cut])
			return &s
		}
		if len(head) == len(data) {
			break // nothing was cut
		}
	}
	s.Base64 = append(s.Base64, head...)
	return &s
}
