package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Spec describes a job: it is the body of a submission, and the content of a job file.
type Spec struct {
	Name     string    `json:"name,omitempty"`     // for people; the program's name by default
	Program  string    `json:"program"`            // a builtin's name, or the file name of the artifact; "streaming" with a mapper
	Kind     string    `json:"kind,omitempty"`     // builtin, python, exec or streaming; by default guessed from Program
	Params   Params    `json:"params,omitempty"`   // for the program
	Artifact *Artifact `json:"artifact,omitempty"` // the program's file, if it has one

	Mapper       string        `json:"mapper,omitempty"`        // command that reads and writes lines, instead of a program
	Combiner     string        `json:"combiner,omitempty"`      // command
	Reducer      string        `json:"reducer,omitempty"`       // command; without it pairs are only sorted
	ProgramFiles []ProgramFile `json:"program_files,omitempty"` // files that are sent along with the program

	Input       []Input  `json:"input"`                 // objects, globs, prefixes or folders, by URL
	Format      string   `json:"format,omitempty"`      // how input bytes become records, "text" by default
	Compression string   `json:"compression,omitempty"` // "auto", the default: recognised by names and first bytes; "none": bytes are read unchanged
	SplitSize   ByteSize `json:"split_size,omitempty"`  // bytes of input per map task; 0: chosen by the controller
	Maps        int      `json:"maps,omitempty"`        // wanted number of map tasks, instead of SplitSize; 0: no wish

	Output    string `json:"output"`              // URL of a folder, which must be empty
	Overwrite bool   `json:"overwrite,omitempty"` // replace the output that is there
	Reducers  *int   `json:"reducers,omitempty"`  // 0: map only; absent: chosen by the controller

	SortOrder  SortOrder `json:"sort_order,omitempty"`  // how records are assigned to partitions: "partition" by default
	SortValues bool      `json:"sort_values,omitempty"` // sort the values of each key, too

	Priority          int       `json:"priority,omitempty"`           // -1000 to 1000; higher goes first
	MaxAttempts       int       `json:"max_attempts,omitempty"`       // attempts per task before a failure of the program fails the job; 0: 4
	SkipBadRecords    int       `json:"skip_bad_records,omitempty"`   // how many bad records the job may skip; 0: none
	TaskTimeout       *Duration `json:"task_timeout,omitempty"`       // how long an attempt may make no progress; 0: no limit; absent: 10m
	KeepIntermediates bool      `json:"keep_intermediates,omitempty"` // leave segment files on the store when the job ends

	Webhook string `json:"webhook,omitempty"` // URL to which a server posts the job's end
}

// SortOrder is the order of the records in a job's output.
type SortOrder string

const (
	// OrderPartition sorts each part of the output. The hash of a key decides its part. "" means
	// the same.
	OrderPartition SortOrder = "partition"
	// OrderTotal also sorts the parts: each part has a range of the keys.
	OrderTotal SortOrder = "total"
)

// Set makes a SortOrder a command line flag's value.
func (o *SortOrder) Set(text string) error {
	*o = SortOrder(text) // Spec.Validate checks the value
	return nil
}

// String returns the order as a spec has it.
func (o SortOrder) String() string { return string(o) }

// Type names the flag's value in usage texts.
func (o *SortOrder) Type() string { return "order" }

// Artifact is a program's file on the work store.
type Artifact struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"` // hex; verified by every executor
	Size   int64  `json:"size"`   // bytes
}

// ErrSpec reports that a job's spec is not valid.
var ErrSpec = errors.New("job spec is not valid")

// MaxTasks is the highest number of tasks on one side of a job.
const MaxTasks = 10_000_000

// MaxReducers is the highest number of a job's reduce tasks. Each map task writes one segment for
// each of them.
const MaxReducers = 1 << 20

// MaxPriority is the highest priority of a job; the lowest is its negative.
const MaxPriority = 1000

// ValidPriority reports whether p is a priority; 0 is the default, higher goes first.
func ValidPriority(p int) bool { return p >= -MaxPriority && p <= MaxPriority }

// maxSkipBadRecords is the highest number of bad records that a job may skip.
const maxSkipBadRecords = 1_000_000_000

// Validate checks what it can without reading inputs or the program.
func (s *Spec) Validate() error {
	var problems []string
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	texts := *s
	texts.Input, texts.Output = nil, "" // package objstore checks locations, with better errors
	for _, name := range notUTF8(reflect.ValueOf(texts), "") {
		bad("%s is not UTF-8", name)
	}
	if s.Program == "" && !s.Streaming() {
		bad("program is missing: give a builtin's name, a program's file, or a mapper instead")
	}
	for _, problem := range append(s.streamingProblems(), s.programFileProblems()...) {
		bad("%s", problem)
	}
	if len(s.Input) == 0 {
		bad("input is missing")
	}
	for i, in := range s.Input {
		if in.URL == "" {
			bad("input[%d] has no URL", i)
		}
	}
	if s.Output == "" {
		bad("output is missing")
	}
	if s.Maps < 0 || s.Maps > MaxTasks {
		bad("maps is %d: must be from 1 to %d, or absent", s.Maps, MaxTasks)
	}
	if s.Maps > 0 && s.SplitSize > 0 {
		bad("maps and split_size exclude each other: leave one of them out")
	}
	if s.SplitSize < 0 {
		bad("split_size is negative")
	}
	if s.Reducers != nil && (*s.Reducers < 0 || *s.Reducers > MaxReducers) {
		bad("reducers is %d: must be from 0 to %d, or absent", *s.Reducers, MaxReducers)
	}
	for _, problem := range s.orderProblems() {
		bad("%s", problem)
	}
	if !ValidPriority(s.Priority) {
		bad("priority is %d: must be from -1000 to 1000", s.Priority)
	}
	if s.MaxAttempts < 0 || s.MaxAttempts > MaxAttempts {
		bad("max_attempts is %d: must be from 1 to %d, or absent", s.MaxAttempts, MaxAttempts)
	}
	if s.SkipBadRecords < 0 || s.SkipBadRecords > maxSkipBadRecords {
		bad("skip_bad_records is %d: must be from 0 to %d", s.SkipBadRecords, maxSkipBadRecords)
	}
	if s.TaskTimeout != nil && (*s.TaskTimeout < 0 || *s.TaskTimeout > 0 && time.Duration(*s.TaskTimeout) < time.Second) {
		bad("task_timeout is %s: must be at least 1s, or 0 for none", s.TaskTimeout)
	}
	if why := webhookProblem(s.Webhook); why != "" {
		bad("webhook %s", why)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %s", ErrSpec, strings.Join(problems, "; "))
	}
	return nil
}

// notUTF8 returns the names of the texts in v that are not UTF-8. JSON would change them.
func notUTF8(v reflect.Value, name string) (names []string) {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return []string{name}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return notUTF8(v.Elem(), name)
		}
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(v.Type()) {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, notUTF8(v.FieldByIndex(f.Index), strings.TrimPrefix(name+"."+tag, "."))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			names = append(names, notUTF8(v.Index(i), fmt.Sprintf("%s[%d]", name, i))...)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if !utf8.ValidString(key.String()) {
				names = append(names, fmt.Sprintf("the name %q in %s", key.String(), name))
			}
			names = append(names, notUTF8(v.MapIndex(key), fmt.Sprintf("%s.%s", name, key.String()))...)
		}
	}
	slices.Sort(names)
	return names
}

// orderProblems returns what is wrong with the sort order.
func (s *Spec) orderProblems() (problems []string) {
	switch s.SortOrder {
	case "", OrderPartition, OrderTotal:
	default:
		problems = append(problems, fmt.Sprintf("sort_order is %q: must be partition or total", s.SortOrder))
	}
	if s.Reducers == nil || *s.Reducers > 0 {
		return problems
	}
	if s.SortOrder == OrderTotal {
		problems = append(problems, "sort_order total needs reducers: without them nothing is sorted")
	}
	if s.SortValues {
		problems = append(problems, "sort_values needs reducers: without them nothing is sorted")
	}
	return problems
}

// maxWebhook is the longest URL of a webhook, in bytes.
const maxWebhook = 2000

// webhookProblem returns what is wrong with a webhook's URL, without quoting the URL, which may
// contain a secret. An empty URL is fine.
func webhookProblem(text string) string {
	if text == "" {
		return ""
	}
	if len(text) > maxWebhook {
		return fmt.Sprintf("is longer than %d bytes", maxWebhook)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "is not a URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return "must be an https or http URL"
	case u.Hostname() == "":
		return "names no host"
	case u.User != nil:
		return "must not contain a user name or password"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "has a port that is not from 1 to 65535"
		}
	}
	return ""
}

// DefaultTaskTimeout is how long an attempt may make no progress if its job sets no limit.
const DefaultTaskTimeout = 10 * time.Minute

// StallLimit returns how long an attempt at one of the job's tasks may make no progress; 0: no
// limit.
func (s *Spec) StallLimit() time.Duration {
	if s.TaskTimeout == nil {
		return DefaultTaskTimeout
	}
	return time.Duration(*s.TaskTimeout)
}

// shorten returns the beginning of a text, for an error.
func shorten(text string) string {
	const most = 100 // bytes
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// Duration is a length of time; in text "90s", "10m", "1h30m".
type Duration time.Duration

// String returns a length of time that Set reads.
func (d Duration) String() string { return time.Duration(d).String() }

// lengthOfTime matches the texts that Set accepts.
var lengthOfTime = regexp.MustCompile(`^(0|([0-9]+([.][0-9]+)?[smh])+)$`)

// Set makes a Duration a command line flag's value.
func (d *Duration) Set(text string) error {
	v, err := time.ParseDuration(text)
	if err != nil || !lengthOfTime.MatchString(text) {
		return fmt.Errorf("%q is not a length of time: write 90s, 10m or 1h30m", shorten(text))
	}
	*d = Duration(v)
	return nil
}

// Type names the flag's value in usage texts.
func (d *Duration) Type() string { return "duration" }

// UnmarshalJSON reads a text.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		s = string(text) // a number: 0 is valid, any other number lacks a unit
	}
	return d.Set(s)
}

// MarshalJSON writes the text form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// Params are a program's parameters. In a job file they may be numbers and booleans; programs see
// the text that the job file has.
type Params map[string]string

// UnmarshalJSON reads an object of scalars.
func (p *Params) UnmarshalJSON(text []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return errors.New("params must be a map of names and texts")
	}
	if raw == nil { // null
		return nil
	}
	*p = make(Params, len(raw))
	for name, value := range raw {
		var s string
		switch {
		case len(value) > 0 && (value[0] == '{' || value[0] == '['), string(value) == "null":
			return fmt.Errorf("param %s must be text, a number or a boolean", name)
		case value[0] == '"':
			if err := json.Unmarshal(value, &s); err != nil {
				return fmt.Errorf("param %s: %w", name, err)
			}
		default:
			s = string(value)
		}
		(*p)[name] = s
	}
	return nil
}

// ByteSize is a number of bytes; in text "64KiB", "1.5GB" or a plain number.
type ByteSize int64

// sizeText matches a size: a whole number, or any decimal number with a unit.
var sizeText = regexp.MustCompile(`^(?:([0-9]+)[bB]?|([0-9]+(?:[.][0-9]+)?) ?([kKmMgGtTpPeE])([iI]?)[bB]?)$`)

// ParseByteSize reads "64KiB", "1.5GB" or "4096": KiB, MiB, … are powers of 1024, and KB, MB, … of
// 1000.
func ParseByteSize(text string) (ByteSize, error) {
	m := sizeText.FindStringSubmatch(text)
	n, ok := new(big.Rat), m != nil
	if ok {
		n, ok = n.SetString(m[1] + m[2]) // one of the two is empty
	}
	if ok && m[3] != "" {
		base := int64(1000)
		if m[4] != "" {
			base = 1024
		}
		power := int64(1 + strings.Index("KMGTPE", strings.ToUpper(m[3])))
		n.Mul(n, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(base), big.NewInt(power), nil)))
	}
	if !ok || n.Cmp(big.NewRat(1<<62, 1)) > 0 {
		return 0, fmt.Errorf("%q is not a size: write 64KiB, 1.5GB or 4096", shorten(text))
	}
	return ByteSize(new(big.Int).Quo(n.Num(), n.Denom()).Int64()), nil
}

// String returns a size that ParseByteSize reads.
func (b ByteSize) String() string {
	if b%1024 == 0 && b != 0 {
		for i, unit := range []string{"EiB", "PiB", "TiB", "GiB", "MiB", "KiB"} {
			if one := ByteSize(1) << (60 - 10*i); b%one == 0 {
				return strconv.FormatInt(int64(b/one), 10) + unit
			}
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Set makes a ByteSize a command line flag's value.
func (b *ByteSize) Set(text string) (err error) {
	*b, err = ParseByteSize(text)
	return err
}

// Type names the flag's value in usage texts.
func (b *ByteSize) Type() string { return "size" }

// UnmarshalJSON reads a number of bytes or a text.
func (b *ByteSize) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		s = string(text)
	}
	return b.Set(s)
}

// MarshalJSON writes the text form.
func (b ByteSize) MarshalJSON() ([]byte, error) { return json.Marshal(b.String()) }
