package sample

import (
	"bytes"
	"encoding/csv"
	"regexp"
	"testing"
	"time"
)

func TestActivityLines(t *testing.T) {
	source := NewActivity(1)
	data := append(source.Header(), generate(t, source, 4<<20, 1)[0]...)
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	user, price := regexp.MustCompile(`^u\d{6}$`), regexp.MustCompile(`^[1-9]\d{0,2}\.\d\d$`)
	counts, users := make(map[string]int), make(map[string]int)
	var last time.Time
	for _, r := range records[1:] {
		at, err := time.Parse(time.RFC3339, r[0])
		if err != nil || at.Before(last) {
			t.Fatalf("time %s after %s: %v", r[0], last, err)
		}
		last = at
		if !user.MatchString(r[1]) || price.MatchString(r[3]) != (r[2] == purchase) || r[2] != purchase && r[3] != "" {
			t.Fatalf("line %q", r)
		}
		users[r[1]]++
		counts[r[2]]++
	}
	for _, action := range actions {
		got, want := float64(counts[action.text])/float64(len(records)-1), float64(action.weight)/100
		if got < want*0.9 || got > want*1.1 {
			t.Errorf("%.4f of actions are %s, want %.4f", got, action.text, want)
		}
	}
	if len(users) < 10_000 {
		t.Errorf("%d users in %d lines", len(users), len(records)-1)
	}
}

func TestUserNumbersAreDistinct(t *testing.T) {
	known := make(map[int64]bool, activityUsers)
	for rank := range activityUsers {
		n := userNumber(rank)
		if n < 100_000 || n > 999_999 || known[n] {
			t.Fatalf("rank %d has number %d", rank, n)
		}
		known[n] = true
	}
}

func TestAmountsStayInRange(t *testing.T) {
	for _, test := range []struct {
		random uint64
		want   string
	}{{0, "1.00"}, {^uint64(0), "500.00"}, {1 << 63, "1.00"}} {
		if got := string(appendAmount(nil, test.random)); got != test.want {
			t.Errorf("%x: got %s, want %s", test.random, got, test.want)
		}
	}
}
