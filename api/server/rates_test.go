package server

import (
	"testing"
	"time"
)

func TestRates(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRates(2, 3)
	for i := range 3 {
		if wait := r.wait("192.0.2.1:1", now); wait > 0 {
			t.Fatalf("request %d waits %v", i, wait)
		}
	}
	if wait := r.wait("192.0.2.1:2", now); wait != 500*time.Millisecond {
		t.Errorf("beyond the burst it waits %v", wait)
	}
	for _, other := range []string{"192.0.2.2:1", "[2001:db8::1]:1", "pipe"} {
		if wait := r.wait(other, now); wait > 0 {
			t.Errorf("%s waits %v", other, wait)
		}
	}
	for range 2 {
		r.wait("[2001:db8::2]:1", now)
	}
	if r.wait("[2001:db8::3]:1", now) == 0 || r.wait("[2001:db8:0:1::3]:1", now) > 0 {
		t.Error("an IPv6 network of /64 does not count as one")
	}
	if r.wait("[::ffff:192.0.2.1]:1", now) == 0 {
		t.Error("another way to write an address is another client")
	}
	now = now.Add(500 * time.Millisecond)
	if r.wait("192.0.2.1:3", now) > 0 || r.wait("192.0.2.1:3", now) == 0 {
		t.Error("what was refused counts")
	}
	now = now.Add(time.Hour)
	if r.wait("192.0.2.9:1", now); len(r.clients) != 1 {
		t.Errorf("%d clients are remembered", len(r.clients))
	}
}
