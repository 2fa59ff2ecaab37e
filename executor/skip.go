package executor

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// setAside writes an attempt's bad records to the work store, a line of JSON for each, as a checked
// object. They are not there before commit.
type setAside struct {
	bucket  objstore.Bucket
	key     string
	attempt job.AttemptID
	w       *objstore.CheckedWriter // nil before the first record
}

func (s *setAside) add(ctx context.Context, record skippedRecord, why *program.UserError) (err error) {
	if s.w == nil {
		w, err := s.bucket.Create(ctx, s.key)
		if err != nil {
			return err
		}
		s.w = objstore.NewCheckedWriter(w)
	}
	record.Job, record.Task = s.attempt.Job, s.attempt.Task.String()
	record.Error, record.Traceback = why.Error(), why.Traceback
	line, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode a bad record: %w", err)
	}
	_, err = s.w.Write(append(line, '\n'))
	return err
}

// commit must follow a record.
func (s *setAside) commit() error {
	_, err := s.w.Commit()
	return err
}

func (s *setAside) abort() error {
	if s.w == nil {
		return nil
	}
	return s.w.Abort()
}

// skippedRecord is a line of a _skipped object. The job comes first: clean-up looks at that.
type skippedRecord struct {
	Job       job.ID  `json:"job"`
	Task      string  `json:"task"`             // "m12"
	Input     string  `json:"input,omitempty"`  // the object's URL; of a map task
	Offset    *int64  `json:"offset,omitempty"` // in the object, after decompression, in bytes; of a map task
	Record    int64   `json:"record"`           // its ordinal in the task, from 0; of a reduce task the key's
	Key       *shown  `json:"key,omitempty"`    // of a reduce task
	Value     *shown  `json:"value,omitempty"`  // of a map task
	Values    int64   `json:"values,omitempty"` // how many the key has
	First     []shown `json:"first_values,omitempty"`
	Error     string  `json:"error"`
	Traceback string  `json:"traceback,omitempty"`
}

// How much of a bad record is kept, in bytes, and how many of a key's values.
const (
	shownBytes      = 64 << 10
	shownValues     = 10
	shownValueBytes = 4 << 10
)

// shown is the beginning of a key or value: as text if that is UTF-8.
type shown struct {
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	Bytes  int    `json:"bytes"` // its full length
}

// show copies the first most bytes of data, or a few less, so that no character is cut.
func show(data []byte, most int) *shown {
	s := shown{Bytes: len(data)}
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
