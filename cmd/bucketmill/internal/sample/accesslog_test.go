package sample

import (
	"bytes"
	"net/netip"
	"regexp"
	"testing"
	"time"
)

func TestAccessLogLines(t *testing.T) {
	combined := regexp.MustCompile(
		`^(\S+) - - \[([^\]]+)\] "(GET|POST|HEAD|PUT) (/\S*) HTTP/1\.1" (\d{3}) (\d+|-) "(-|https://\S+)" "[^"]+"\n$`)
	classes := make(map[byte]int)
	clients := make(map[string]int)
	var lines, top int
	var last time.Time
	for line := range bytes.Lines(generate(t, NewAccessLog(1), 4<<20, 1)[0]) {
		field := combined.FindSubmatch(line)
		if field == nil {
			t.Fatalf("line %q", line)
		}
		if _, err := netip.ParseAddr(string(field[1])); err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("02/Jan/2006:15:04:05 -0700", string(field[2]))
		if err != nil || at.Before(last) {
			t.Fatalf("time %s after %s: %v", field[2], last, err)
		}
		last = at
		lines++
		classes[field[5][0]]++
		clients[string(field[1])]++
		top = max(top, clients[string(field[1])])
	}
	for class, want := range map[byte]float64{'2': 0.865, '3': 0.06, '4': 0.062, '5': 0.013} {
		if got := float64(classes[class]) / float64(lines); got < want*0.8 || got > want*1.2 {
			t.Errorf("%.4f of statuses are %cxx, want about %.4f", got, class, want)
		}
	}
	if share := float64(top) / float64(lines); share < 0.07 || share > 0.11 {
		t.Errorf("the busiest of %d clients sent %.3f of the requests", len(clients), share)
	}
	if elapsed := last.Sub(epoch); elapsed > time.Duration(lines)*logInterval {
		t.Errorf("%d lines took %v", lines, elapsed)
	}
}
