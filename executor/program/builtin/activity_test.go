package builtin

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

const activityHeader = `id,"amount",user,timestamp,action`

const activityRows = `1,0.10,ann,2026-11-21T15:04:05Z,buy
2,0.20,"ann",2026-11-20 23:30:00,"say ""hi"", twice"
3,-1.005,"O'Neil, Bob",2026-11-21T01:00:00+02:00,buy

4,x,ann,2026-11-21T15:04:05Z,buy
5,1,ann,2026-02-30,buy
6,1,ann
7,1,"ann,2026-11-21,buy
8,100,ann,1795186800.000,buy
`

func activityBatches(text string, size int) []record.Batch {
	batches := programtest.Lines("f", text, size)
	for i := range batches {
		batches[i].Header = []byte(activityHeader)
	}
	return batches
}

func TestActivity(t *testing.T) {
	for by, want := range map[string][]string{
		"user": {
			"O'Neil, Bob\t1\t-1.005\t2026-11-20T23:00:00Z\t2026-11-20T23:00:00Z",
			"ann\t3\t100.30\t2026-11-20T15:00:00Z\t2026-11-21T15:04:05Z",
		},
		"day": {
			"2026-11-20\t3\t99.195\t2026-11-20T15:00:00Z\t2026-11-20T23:30:00Z",
			"2026-11-21\t1\t0.10\t2026-11-21T15:04:05Z\t2026-11-21T15:04:05Z",
		},
		"hour": {
			"2026-11-20T15\t1\t100.00\t2026-11-20T15:00:00Z\t2026-11-20T15:00:00Z",
			"2026-11-20T23\t2\t-0.805\t2026-11-20T23:00:00Z\t2026-11-20T23:30:00Z",
			"2026-11-21T15\t1\t0.10\t2026-11-21T15:04:05Z\t2026-11-21T15:04:05Z",
		},
		"action": {
			"buy\t3\t99.095\t2026-11-20T15:00:00Z\t2026-11-21T15:04:05Z",
			"say \"hi\", twice\t1\t0.20\t2026-11-20T23:30:00Z\t2026-11-20T23:30:00Z",
		},
	} {
		for _, size := range oddSizes {
			if got := programtest.Run(t, open(t, "activity", "by", by), activityBatches(activityRows, size)); !slices.Equal(got, want) {
				t.Errorf("by %s, batches of %d: want %q, have %q", by, size, want, got)
			}
		}
	}
}

func TestActivityNeedsItsHeader(t *testing.T) {
	_, err := programtest.MapAll(t, open(t, "activity"), programtest.Attempt(t), programtest.Lines("f", "1,2\n", 9))
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, "--format csv") {
		t.Error(user)
	}
	_, err = programtest.MapAll(t, open(t, "activity"), programtest.Attempt(t), []record.Batch{{Framing: record.Lines, Header: []byte("user,action,amount")}})
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, "no column timestamp") {
		t.Error(user)
	}
	_, err = programtest.MapAll(t, open(t, "activity", "strict", "true"), programtest.Attempt(t), activityBatches(activityRows, 1))
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, "amount") || user.Record == nil {
		t.Error(err)
	}
}

// A record that is not exactly one row, with one field for each of the header's, is malformed.
func TestActivityCountsBadRows(t *testing.T) {
	const header = "timestamp,user,action,amount"
	const good = "2026-11-21,ann,buy,1"
	for _, c := range []struct {
		row    string
		reason string // empty: it counts
	}{
		{good, ""},
		{good + "\r\r", ""},
		{"2026-11-21,5\" pipe,buy,1", ""},
		{"2026-11-21,ann,view,", ""}, // no amount
		{"2026-11-21,ann,view,\"\"", ""},
		{"2026-11-21,ann,view, ", "amount"},
		{",ann,buy,1", "timestamp"},
		{"2026-11-21,\"a\rb\",\"x\r\",1\r", ""},
		{good + ",", "5 fields where the header has 4"},
		{"2026-11-21,ann,1", "3 fields where the header has 4"},
		{good + ",2026-11-21,bob,buy,1", "8 fields"},
		{"2026-11-21,a\rnn,buy,1", "carriage return"},
		{"2026-11-21,\"ann\"\r,buy,1", "carriage return"},
		{"\r" + good, "carriage return"},
		{"2026-11-21,\"ann\" x,buy,1", "text follows a quoted field"},
		{"2026-11-21,ann,buy,\"1", "a quoted field does not end"},
	} {
		batches := []record.Batch{{Framing: record.Lines, Header: []byte(header), Data: []byte(c.row + "\n\r\n\n" + good + "\n")}}
		m, err := open(t, "activity").NewMapper(t.Context(), programtest.Attempt(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Map(&batches[0], programtest.Discard()); err != nil {
			t.Fatal(err)
		}
		counters := m.(program.Counting).Counters()
		m.Kill()
		_, err = programtest.MapAll(t, open(t, "activity", "strict", "true"), programtest.Attempt(t), batches)
		if c.reason == "" {
			if err != nil || counters["malformed records"] != 0 {
				t.Errorf("%q: %v, %v", c.row, counters, err)
			}
			continue
		}
		if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, c.reason) || counters["malformed records"] != 1 {
			t.Errorf("%q: want %q, have %v, %v", c.row, c.reason, counters, err)
		}
	}
}

func TestActivityRefusesHeaders(t *testing.T) {
	for header, want := range map[string]string{
		"timestamp,user,action,amount,user": "more than one column user",
		"timestamp,user,action\ramount":     "carriage return",
		"timestamp,user,action,\"amount":    "a quoted field does not end",
		"timestamp,user,action":             "no column amount",
	} {
		_, err := programtest.MapAll(t, open(t, "activity"), programtest.Attempt(t), []record.Batch{{Framing: record.Lines, Header: []byte(header)}})
		if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, want) {
			t.Errorf("%q: want %q, have %v", header, want, err)
		}
	}
	if got := programtest.Run(t, open(t, "activity"), []record.Batch{{
		Framing: record.Lines, Header: []byte("timestamp,user,x,x,action,\"amount\"\r"), Data: []byte("2026-11-21,ann,,,buy,1\n"),
	}}); len(got) != 1 {
		t.Errorf("other columns may have one name: %q", got)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add(`a,"b,""c""",,d`)
	f.Add(`"",""`)
	f.Fuzz(func(t *testing.T, record string) {
		r := csvReader{cr: true}
		got, err := r.read([]byte(record))
		if strings.ContainsAny(record, "\r\n") || record == "" {
			return // never in the records of a CSV input, or skipped by encoding/csv
		}
		theirs := csv.NewReader(strings.NewReader(record))
		want, theirErr := theirs.Read()
		if theirErr != nil {
			return // it also refuses quotes within fields that are not quoted
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: want %q, have %q, %v", record, want, got, err)
		}
		for i := range got {
			if string(got[i]) != want[i] {
				t.Fatalf("%q: want %q, have %q", record, want, got)
			}
		}
	})
}

func TestMicros(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0.00", "-0.0": "0.00", "12": "12.00", "+1.5": "1.50", "-12.345": "-12.345", ".5": "0.50", "5.": "5.00",
		"0.000001": "0.000001", "1.0000000": "1.00", "999999999999.999999": "999999999999.999999",
	} {
		v, err := parseMicros([]byte(in))
		if got := string(appendMicros(nil, record.TotalOf(v))); err != nil || got != want {
			t.Errorf("%s: want %s, have %s, %v", in, want, got, err)
		}
	}
	for _, in := range []string{"", "-", ".", "1e5", "1.2.3", "0.0000001", "99999999999999", "1,5", " 1"} {
		if v, err := parseMicros([]byte(in)); err == nil {
			t.Errorf("%q is %d", in, v)
		}
	}
	if got := string(appendMicros(nil, record.TotalOf(math.MinInt64))); got != "-9223372036854.775808" {
		t.Errorf("the least amount is %s", got)
	}
	for text, want := range map[string]string{
		"27000000000000000000": "27000000000000.00", "-9223372036854775809": "-9223372036854.775809",
		"9223372036854775808000010": "9223372036854775808.00001",
	} {
		n, _ := new(big.Int).SetString(text, 10)
		hi, lo := new(big.Int).Rsh(n, 64).Int64(), new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
		if got := string(appendMicros(nil, record.Total{Hi: hi, Lo: lo})); got != want {
			t.Errorf("%s: want %s, have %s", text, want, got)
		}
	}
}

func TestTimestamps(t *testing.T) {
	want := time.Date(2026, 11, 21, 15, 4, 5, 0, time.UTC).UnixMicro()
	for in, more := range map[string]int64{
		"2026-11-21T15:04:05Z": 0, "2026-11-21t15:04:05z": 0, "2026-11-21 15:04:05": 0, "2026-11-21T16:34:05+01:30": 0,
		"2026-11-21T10:04:05-0500": 0, "2026-11-21T15:04:05.25Z": 250_000, "2026-11-21T15:04:05.123456789": 123_456,
		"2026-11-21T15:04": -5_000_000, "2026-11-21": -54_245_000_000, fmt.Sprint(want / 1e6): 0,
	} {
		if got, err := parseTimestamp([]byte(in)); err != nil || got != want+more {
			t.Errorf("%s: want %d, have %d, %v", in, want+more, got, err)
		}
	}
	for _, in := range []string{
		"", "yesterday", "2026-13-01", "2026-02-29", "2026-11-21X15:04:05", "2026-11-21T24:00:00", "2026-11-21T15:04:05+", "2026-11-21T15:04:05.", "2026-11-2", "1.5",
	} {
		if v, err := parseTimestamp([]byte(in)); err == nil {
			t.Errorf("%q is %d", in, v)
		}
	}
}

// BenchmarkTimestamps compares parseTimestamp with time.Parse on the one form that both read.
func BenchmarkTimestamps(b *testing.B) {
	text := []byte("2026-11-21T15:04:05Z")
	b.Run("parseTimestamp", func(b *testing.B) {
		for b.Loop() {
			if _, err := parseTimestamp(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("time.Parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := time.Parse(time.RFC3339, string(text)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("time.Parse, third layout", func(b *testing.B) {
		for b.Loop() {
			for _, layout := range []string{time.RFC3339, time.DateOnly, time.DateTime} {
				if _, err := time.Parse(layout, "2026-11-21 15:04:05"); err == nil {
					break
				}
			}
		}
	})
}
