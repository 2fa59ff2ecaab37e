package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"

	"github.com/bucketmill/bucketmill/job"
)

// Anyone who can write an output folder can write a _SUCCESS object: it may have any size, and name
// any job, part or counter. So SuccessJob reads only the beginning. ReadSuccess reads all of it in
// little memory, and accepts only what the job itself can have written: the parts have the names of
// PartName, in order.

// ErrNoSuccess reports that an object is not a _SUCCESS that a job has written.
var ErrNoSuccess = errors.New("not the _SUCCESS object of a job")

// SuccessHead is how many bytes of a _SUCCESS object suffice to know its job.
const SuccessHead = 512

// successBegin matches the beginning of a job's _SUCCESS.
var successBegin = regexp.MustCompile(`^\{\s{0,16}"job":\s{0,16}"([A-Za-z0-9_-]{1,128})"`)

// SuccessJob returns the job of a _SUCCESS object by its first SuccessHead bytes; "" if no job
// wrote it.
func SuccessJob(head []byte) job.ID {
	if found := successBegin.FindSubmatch(head); found != nil {
		return job.ID(found[1])
	}
	return ""
}

const (
	// successElement is the longest element of a _SUCCESS, such as a part or a counter, in bytes.
	successElement = 64 << 10
	// successMembers is the highest number of members; later versions may write more than this
	// version.
	successMembers = 100
	// successCounters is the highest number of counters, apart from those of tasks.
	successCounters = 10_000
	// successCounter is the longest name of a counter, in bytes.
	successCounter = 1 << 10
)

// ReadSuccess reads the _SUCCESS object of a job with that number of parts (-1: unknown), and calls
// each for every part, in order. The returned Success has no parts. ReadSuccess fails with
// ErrNoSuccess if the object is not a _SUCCESS, or is another job's.
func ReadSuccess(r io.Reader, id job.ID, parts int, each func(SuccessPart) error) (Success, error) {
	most := parts
	if parts < 0 {
		most = job.MaxTasks
	}
	m := &meter{r: r}
	s := &successReader{meter: m, json: json.NewDecoder(m), id: id, most: most, each: each}
	err := s.read()
	if err == nil && (s.got.Job != id || parts >= 0 && s.parts != parts) {
		err = ErrNoSuccess
	}
	if malformed(err) {
		err = fmt.Errorf("%w: %w", ErrNoSuccess, err)
	}
	return s.got, err
}

// malformed reports whether the text is at fault, not the reader that it comes from.
func malformed(err error) bool {
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	return errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// successReader reads one object.
type successReader struct {
	meter *meter
	json  *json.Decoder
	id    job.ID
	most  int // parts
	each  func(SuccessPart) error

	got   Success
	parts int   // read so far
	bytes int64 // of these parts
}

func (s *successReader) read() error {
	known := 0
	return s.members(func(name string) error {
		if known++; known > successMembers {
			return ErrNoSuccess
		}
		switch name {
		case "job":
			if err := s.value(&s.got.Job); err != nil {
				return err
			}
			if s.got.Job != s.id {
				return ErrNoSuccess
			}
			return nil
		case "name":
			return s.value(&s.got.Name)
		case "records":
			return s.value(&s.got.Records)
		case "bytes":
			return s.value(&s.got.Bytes)
		case "counters":
			return s.counters()
		case "parts":
			return s.elements(s.part)
		case "skipped":
			n := 0
			return s.elements(func() error { n++; return s.skipped(n) })
		}
		return s.value(new(json.RawMessage)) // a later version has written it
	})
}

// part reads one part.
func (s *successReader) part() error {
	var p SuccessPart
	if err := s.value(&p); err != nil {
		return err
	}
	if s.got.Job != s.id || s.parts == s.most || p.Name != PartName(s.parts) || p.Bytes < 0 || p.Records < 0 || len(p.Checksum) > len("xxh64:")+16 {
		return ErrNoSuccess
	}
	if p.Bytes > math.MaxInt64-s.bytes {
		return ErrNoSuccess
	}
	s.parts++
	s.bytes += p.Bytes
	return s.each(p)
}

// skipped reads and drops the description of one object with bad records.
func (s *successReader) skipped(n int) error {
	var skipped SuccessSkipped
	if err := s.value(&skipped); err != nil {
		return err
	}
	if n > 2*job.MaxTasks {
		return ErrNoSuccess
	}
	return nil
}

func (s *successReader) counters() error {
	s.got.Counters = map[string]int64{}
	return s.members(func(name string) error {
		var n int64
		if err := s.value(&n); err != nil {
			return err
		}
		if s.got.Counters[name] = n; len(name) > successCounter || len(s.got.Counters) > successCounters+2*s.most {
			return ErrNoSuccess
		}
		return nil
	})
}

// value reads a small value.
func (s *successReader) value(to any) error {
	s.meter.left = successElement
	return s.json.Decode(to)
}

// members reads an object. It calls each when the next value is that of a member.
func (s *successReader) members(each func(name string) error) error {
	return s.between('{', func() error {
		s.meter.left = successElement
		token, err := s.json.Token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return ErrNoSuccess
		}
		return each(name)
	})
}

// elements reads an array.
func (s *successReader) elements(each func() error) error { return s.between('[', each) }

// between reads the inside of an object or array; null counts as an empty one.
func (s *successReader) between(opening json.Delim, each func() error) error {
	s.meter.left = successElement
	token, err := s.json.Token()
	if err != nil {
		return err
	}
	if token == nil {
		return nil
	}
	if token != opening {
		return ErrNoSuccess
	}
	for s.json.More() {
		if err := each(); err != nil {
			return err
		}
		s.meter.left = successElement
	}
	_, err = s.json.Token()
	return err
}

// meter is a reader that fails with ErrNoSuccess after left bytes.
type meter struct {
	r    io.Reader
	left int
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left == 0 {
		return 0, fmt.Errorf("%w: an element is too long", ErrNoSuccess)
	}
	n, err := m.r.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}
