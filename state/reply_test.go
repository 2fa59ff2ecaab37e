package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// decoders has, for each script, the decoder of its replies, and a reply of every shape.
var decoders = map[string]struct {
	decode func(v any) error
	shapes [][]any
}{
	"claim": {func(v any) error { return errOfTwo(decodeClaims("j", v)) }, [][]any{
		{"gone"},
		{"none"},
		{"ok", "m", "1", int64(3), "5000", "4000"},
		{"ok", "r", "1", int64(0), "5000", "4000", "7", "1", "9", "2"},
	}},
	"renew": {func(v any) error {
		_, _, err := decodeRenewed(v, make([]Beat, 2))
		return err
	}, [][]any{{int64(1), int64(0)}, {int64(2), int64(0)}}},
	"submit": {func(v any) error { return errOfTwo(decodeSubmitted(v)) }, [][]any{{"ok", "plan", int64(1)}, {"ok", "ended", int64(0)}, {"exists"}}},
	"sweep":  {func(v any) error { return errOfTwo(decodeSwept(v)) }, [][]any{{"gone"}, {"map", int64(1), int64(2), "17"}}},
	"bounds": {func(v any) error {
		_, err := decodeBounds(v)
		return err
	}, [][]any{{"ok", "x"}, {"gone"}, {"stale"}}},
	"commit":  {settling(commitScript), [][]any{{"ok", "reduce", int64(1)}, {"stale"}, {"stale", "cleanup"}}},
	"fail":    {settling(failScript), [][]any{{"ok", "map"}, {"stale"}}},
	"lose":    {settling(loseScript), [][]any{{"ok", "map"}, {"stale"}}},
	"backup":  {settling(backupScript), [][]any{{"ok", "map"}, {"stale"}}},
	"redo":    {moving(redoScript), [][]any{{"ok", "reduce"}, {"gone"}, {"illegal", "map"}}},
	"start":   {moving(startScript), transitions3},
	"stop":    {moving(stopScript), transitions3},
	"finish":  {moving(finishScript), transitions3},
	"forget":  {moving(forgetScript), transitions3},
	"keep":    {moving(keepScript), transitions3},
	"discard": {moving(discardScript), transitions3},
	"erase":   {moving(eraseScript), transitions3},
	"retry":   {moving(retryScript), transitions3},
	"note":    {moving(noteScript), transitions3},
	"admit":   {nil, nil}, // like turn
	"turn":    {nil, nil}, // replies with one value: TestRepliesOfOneValue
	"fit":     {nil, nil}, // TestServersThatOnlyLookLikeRedis
}

var transitions3 = [][]any{{"ok"}, {"gone"}, {"illegal", "cleanup"}}

// errOfTwo returns the error of a decoder that returns two values.
func errOfTwo[A, B any](_ A, _ B, err error) error { return err }

func settling(c *script) func(any) error {
	return func(v any) error {
		_, err := decodeEnded(c, v)
		return err
	}
}

func moving(c *script) func(any) error { return func(v any) error { return decodeTransition(c, v) } }

// Every script has a decoder here.
func TestEveryScriptIsDecoded(t *testing.T) {
	files, err := os.ReadDir("lua")
	must(t, err)
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".lua")
		if _, there := decoders[name]; !there && name != "common" {
			t.Errorf("nothing here decodes what %s answers", f.Name())
		}
	}
}

// A reply in which one element has another type, is not a number or is missing, or that has one
// more element, is an error that names the script and shows the reply; never a zero, never a panic.
func TestMalformedReplies(t *testing.T) {
	for name, d := range decoders {
		for _, shape := range d.shapes {
			if err := d.decode(shape); errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %v is refused: %v", name, shape, err)
			}
			for what, bad := range mutations(name, shape) {
				err := d.decode(bad)
				if !errors.Is(err, ErrMalformed) {
					t.Errorf("%s: %s in %v: %v comes to %v", name, what, shape, bad, err)
					continue
				}
				if !strings.Contains(err.Error(), "script "+name+" answers ") {
					t.Errorf("%s: %s: %v", name, what, err)
				}
			}
		}
	}
}

// mutations returns wrong variants of a reply. Words, such as a name, may be any text except an
// empty one.
func mutations(name string, shape []any) map[string]any {
	bad := map[string]any{
		"nothing": nil, "a number alone": int64(1), "a text alone": "ok", "an empty list": []any{}, "a list of lists": []any{shape},
		"one more": append(slices.Clone(shape), "x"), "a nil more": append(slices.Clone(shape), nil),
	}
	put := func(i int, what string, v any) {
		other := slices.Clone(shape)
		other[i] = v
		bad[fmt.Sprintf("%s as element %d", what, i)] = other
	}
	for i, v := range shape {
		bad[fmt.Sprintf("without element %d", i)] = slices.Delete(slices.Clone(shape), i, i+1)
		put(i, "nil", nil)
		put(i, "a list", []any{"x"})
		put(i, "a float", 1.5)
		put(i, "a boolean", true)
		put(i, "an error", errors.New("ERR"))
		switch v := v.(type) {
		case int64:
			put(i, "a text", "1")
			put(i, "a negative number", int64(-1))
		case string:
			put(i, "an integer", int64(1))
			put(i, "an empty text", "")
			if name != "bounds" || i == 0 {
				put(i, "another text", v+" x")
			}
		}
	}
	switch {
	case name == "bounds" && len(shape) == 2: // its name may be anything
	case name == "commit" && len(shape) == 2:
		delete(bad, "without element 1") // is {'stale'}
	case name == "sweep" && len(shape) == 4:
	}
	if name == "claim" && len(shape) == 10 {
		bad["an attempt without number"] = shape[:9]
	}
	return bad
}

func TestRepliesOfOneValue(t *testing.T) {
	for _, v := range []any{nil, "1", int64(2), int64(-1), []any{int64(1)}, 1.0, true} {
		s := New(answers(t, v), "test")
		for what, err := range map[string]error{
			"script turn answers":          s.turn(t.Context(), "j", 0, "NX"),
			"script release answers":       s.ReleaseJob(t.Context(), "j", "me"),
			"script admit answers":         errOf(s.Admit(t.Context(), "me", "j", 1)),
			"script unlock output answers": s.UnlockOutput(t.Context(), "file:///x", "j"),
		} {
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), what) {
				t.Errorf("%s %#v: %v", what, v, err)
			}
		}
	}
	for _, v := range []any{nil, "", int64(1), []any{"me"}, true} {
		s := New(answers(t, v), "test")
		_, err := s.HoldJob(t.Context(), "j", "me", time.Second)
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "script hold answers") {
			t.Errorf("hold %#v: %v", v, err)
		}
		_, err = s.LockOutput(t.Context(), "file:///x", "j")
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "script lock output answers") {
			t.Errorf("lock %#v: %v", v, err)
		}
	}
}

// answers returns a client that answers every call with v.
func answers(t *testing.T, v any) redis.UniversalClient {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	c.AddHook(fixed{v})
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

type fixed struct{ v any }

func (f fixed) DialHook(next redis.DialHook) redis.DialHook { return next }

func (f fixed) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		c, ok := cmd.(*redis.Cmd)
		if !ok {
			return nil
		}
		if f.v == nil {
			c.SetErr(redis.Nil)
			return redis.Nil
		}
		c.SetVal(f.v)
		return nil
	}
}

func (f fixed) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { return nil }
}

// goodJob returns a job's record that has all fields.
func goodJob() map[string]string {
	fields := map[string]string{"name": "n", "spec": "{}", "plan": "{}", "state": "REDUCING", "phase": "reduce", "restored": "1", "error": `{"message":"m"}`}
	for _, name := range numbers {
		fields[name] = "7"
	}
	fields["priority"] = "-7"
	return fields
}

var numbers = []string{
	"priority", "stage", "epoch", "born", "maps", "mapdone", "mapfail", "mapnext", "mapclaims", "maplost", "mapbackups", "mapspent", "reduces", "reddone", "redfail", "rednext", "redclaims", "redlost", "redbackups", "redspent",
	"submitted", "mapat", "reduceat", "publishat", "ended", "keptuntil",
}

// Stored values are checked like replies.
func TestMalformedRecords(t *testing.T) {
	if _, err := decodeJob("j", goodJob(), []string{"m0.1", "r3.2"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(slices.Clone(numbers), "state", "phase", "error", "recovered") {
		for _, bad := range []string{"", "x", "1.5", "7 ", "1e3", "99999999999999999999"} {
			if bad == "" && (name == "error" || name == "recovered") {
				continue // none
			}
			fields := maps.Clone(goodJob())
			fields[name] = bad
			_, err := decodeJob("j", fields, nil)
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "job j: "+name) {
				t.Errorf("%s = %q: %v", name, bad, err)
			}
		}
	}
	for _, name := range []string{"", "m", "x1.1", "m1", "m-1.1", "m1.0", "m1.x"} {
		if _, err := decodeJob("j", goodJob(), []string{name}); !errors.Is(err, ErrMalformed) {
			t.Errorf("running %q: %v", name, err)
		}
		if _, err := decodeRunning("j", name, "me 1 2 3"); !errors.Is(err, ErrMalformed) {
			t.Errorf("running %q: %v", name, err)
		}
	}
	for _, text := range []string{"", "me", "me 1 2", "me 1 2 3 4", "me x 2 3", "me 1 x 3", "me 1 2 x", " 1 2 3", "me  2 3", "me 0 2 3"} {
		if got, err := decodeRunning("j", "m1.1", text); !errors.Is(err, ErrMalformed) {
			t.Errorf("running %q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "m1.1", "m1.1 x", "m1.1 0", "x 1", " 1", "m1.1 1 2"} {
		if got, err := decodeVoid("j", text); !errors.Is(err, ErrMalformed) {
			t.Errorf("void %q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1 me 5 6", "x me 5 6 {}", "0 me 5 6 {}", "1  5 6 {}", "1 me x 6 {}", "1 me 5 x {}", "1 me 0 6 {}"} {
		if got, err := parseCommitted("j", job.Map, "3", text); !errors.Is(err, ErrMalformed) {
			t.Errorf("committed %q: %+v, %v", text, got, err)
		}
	}
	for _, index := range []string{"", "x", "-1", "1.5"} {
		if got, err := parseCommitted("j", job.Map, index, "1 me 5 6 {}"); !errors.Is(err, ErrMalformed) {
			t.Errorf("committed at %q: %+v, %v", index, got, err)
		}
	}
	message := func(values map[string]any) []redis.XStream {
		return []redis.XStream{{Messages: []redis.XMessage{{ID: "1-0", Values: values}}}}
	}
	for _, values := range []map[string]any{nil, {"kind": "x"}, {"text": "x"}, {"kind": int64(1), "text": "x"}} {
		if got, err := decodeEvents(message(values)); !errors.Is(err, ErrMalformed) {
			t.Errorf("event %v: %+v, %v", values, got, err)
		}
		if got, _, err := decodeNews(message(values), "0"); !errors.Is(err, ErrMalformed) {
			t.Errorf("news %v: %+v, %v", values, got, err)
		}
	}
}

// The same on the server: what others have written to a job's keys is reported, and not taken for a
// job.
func TestDamagedKeys(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 2, 1)
		claim(t, s, "me", 1)
		for key, damage := range map[string]func() error{
			"maps":  func() error { return s.rdb.HSet(t.Context(), s.jobKey("j"), "maps", "many").Err() },
			"phase": func() error { return s.rdb.HSet(t.Context(), s.jobKey("j"), "phase", "lunch").Err() },
		} {
			before := s.rdb.HGetAll(t.Context(), s.jobKey("j")).Val()
			must(t, damage())
			if job, err := s.Job(t.Context(), "j"); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %+v, %v", key, job, err)
			}
			must(t, s.rdb.HSet(t.Context(), s.jobKey("j"), before).Err())
		}
		must(t, s.rdb.HSet(t.Context(), s.jobKey("j"), "phase", "lunch").Err())
		if _, err := s.Sweep(t.Context(), "j", Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("sweep: %v", err)
		}
		if _, _, err := s.Stage(t.Context(), "j"); !errors.Is(err, ErrMalformed) {
			t.Errorf("stage: %v", err)
		}
		if err := s.Start(t.Context(), "j", Outline{Maps: 1}); !errors.Is(err, ErrMalformed) {
			t.Errorf("start: %v", err)
		}
		must(t, s.rdb.HSet(t.Context(), s.jobKey("j"), "phase", "map").Err())
		must(t, s.rdb.HDel(t.Context(), s.jobKey("j"), "epoch").Err())
		if got, err := s.Claim(t.Context(), "me", 1, time.Minute); !errors.Is(err, ErrMalformed) {
			t.Errorf("claim: %+v, %v", got, err)
		}
	})
}
