package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// ErrMalformed reports a value in Redis, or a reply of a script, that our programs never write:
// others have changed a key of the namespace, or it is damaged. Nothing is guessed then.
var ErrMalformed = errors.New("malformed state in Redis")

// script is a Lua script with a name for errors.
type script struct {
	*redis.Script
	name string
}

// call runs the script and returns its reply, to be decoded.
func (c *script) call(ctx context.Context, rdb redis.Scripter, keys []string, args ...any) (any, error) {
	v, err := c.Run(ctx, rdb, keys, args...).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil // the decoder refuses it
	}
	return v, err
}

// reply decodes a script's reply, element by element. The first invalid element sets the error; all
// later elements are zero. The caller must call done before it uses any of them.
type reply struct {
	script string
	whole  any
	items  []any
	next   int
	err    error
}

// replyOf decodes a reply that is a list.
func (c *script) replyOf(v any) *reply {
	r := &reply{script: c.name, whole: v}
	items, ok := v.([]any)
	if !ok {
		r.err = r.malformed("it is no list")
	}
	r.items = items
	return r
}

// replyOfOne decodes a reply that is a single value.
func (c *script) replyOfOne(v any) *reply {
	return &reply{script: c.name, whole: v, items: []any{v}}
}

func (r *reply) malformed(format string, args ...any) error {
	return fmt.Errorf("%w: script %s answers %.200s: %s", ErrMalformed, r.script, fmt.Sprintf("%#v", r.whole), fmt.Sprintf(format, args...))
}

// fail keeps the first fault.
func (r *reply) fail(format string, args ...any) {
	if r.err == nil {
		r.err = r.malformed(format, args...)
	}
}

// more reports whether elements are left.
func (r *reply) more() bool { return r.err == nil && r.next < len(r.items) }

// take returns the next element.
func (r *reply) take(what string) any {
	if r.next >= len(r.items) {
		r.fail("%s is missing", what)
		return nil
	}
	r.next++
	return r.items[r.next-1]
}

// text takes a non-empty text.
func (r *reply) text(what string) string {
	s, ok := r.take(what).(string)
	if !ok || s == "" {
		r.fail("%s is no text", what)
	}
	return s
}

// integer takes an integer of at least low.
func (r *reply) integer(what string, low int64) int64 {
	n, ok := r.take(what).(int64)
	if !ok || n < low {
		r.fail("%s is no integer from %d on", what, low)
		return 0
	}
	return n
}

// number takes a text that is a decimal number of at least low.
func (r *reply) number(what string, low int64) int64 {
	n, err := number(r.text(what), low)
	if err != nil {
		r.fail("%s %v", what, err)
	}
	return n
}

// yes takes a boolean: the integer 1 or 0.
func (r *reply) yes(what string) bool {
	n := r.integer(what, 0)
	if n > 1 {
		r.fail("%s is neither 1 nor 0", what)
	}
	return n == 1
}

// side takes a side's letter.
func (r *reply) side() job.Side {
	switch r.text("the side") {
	case string(rune(job.Map)):
		return job.Map
	case string(rune(job.Reduce)):
		return job.Reduce
	}
	r.fail("the side must be m or r")
	return job.Map
}

// phase takes a phase's name.
func (r *reply) phase() job.Phase {
	p := job.Phase(r.text("the phase"))
	if !p.Known() {
		r.fail("there is no phase %q", p)
	}
	return p
}

// status takes the first element, which must be one of several.
func (r *reply) status(of ...string) string {
	got := r.text("the status")
	for _, s := range of {
		if s == got {
			return s
		}
	}
	r.fail("the status must be one of %q", of)
	return ""
}

// done returns the first fault; elements that were not taken are a fault, too.
func (r *reply) done() error {
	if r.next < len(r.items) {
		r.fail("there are %d elements too many", len(r.items)-r.next)
	}
	return r.err
}

// number parses a decimal number of at least low.
func number(text string, low int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low {
		return 0, fmt.Errorf("is %.40q: must be a number from %d on", text, low)
	}
	return n, nil
}

// record decodes the fields of a hash. The first invalid field sets the error.
type record struct {
	what   string // "job x"
	fields map[string]string
	err    error
}

func (r *record) fail(field string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s: %s %w", ErrMalformed, r.what, field, err)
	}
}

// number returns a number that is not negative; 0 if the field is not set yet.
func (r *record) number(field string) int64 {
	text, set := r.fields[field]
	if !set {
		return 0
	}
	n, err := number(text, 0)
	if err != nil {
		r.fail(field, err)
	}
	return n
}

// signed returns a number that may be negative; 0 if the field is not set yet.
func (r *record) signed(field string) int64 {
	text, set := r.fields[field]
	if !set {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.fail(field, fmt.Errorf("is %.40q: must be a number", text))
	}
	return n
}

func (r *record) count(field string) int { return int(r.number(field)) }

// time returns a moment; zero if the field is not set yet.
func (r *record) time(field string) time.Time {
	n := r.number(field)
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// entry decodes the words of a text. The first invalid word sets the error.
type entry struct {
	what, text string
	words      []string
	err        error
}

// entryOf cuts a text at its blanks into words words. The last word may contain blanks.
func entryOf(what, text string, words int) *entry {
	e := &entry{what: what, text: text, words: strings.SplitN(text, " ", words)}
	if len(e.words) != words {
		e.fail("has %d words, not %d", len(e.words), words)
		e.words = make([]string, words)
	}
	return e
}

func (e *entry) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf("%w: %s is %.200q: it %s", ErrMalformed, e.what, e.text, fmt.Sprintf(format, args...))
	}
}

// word returns a non-empty word.
func (e *entry) word(i int) string {
	if e.words[i] == "" {
		e.fail("has nothing as its word %d", i+1)
	}
	return e.words[i]
}

// number returns a word that is a number of at least low.
func (e *entry) number(i int, low int64) int64 {
	n, err := number(e.words[i], low)
	if err != nil {
		e.fail("has a word %d that %v", i+1, err)
	}
	return n
}
