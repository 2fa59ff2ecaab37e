package s3bucket

import (
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

func TestSlowIsTwiceWhatMostTake(t *testing.T) {
	const least = 300 * time.Millisecond
	within := func(what string, got, from, to time.Duration) {
		t.Helper()
		if got < from || got > to {
			t.Errorf("%s: slow is %v, not %v to %v", what, got, from, to)
		}
	}
	p := newPatience(least)
	within("unknown", p.slowAfter(), firstPatience, firstPatience)
	answer := func(n int, d time.Duration) {
		for range n {
			p.observe(d)
		}
	}
	answer(100, 10*time.Millisecond)
	within("fast", p.slowAfter(), least, least)
	answer(4, 30*time.Second) // less than the share that may be slow
	within("fast with a tail", p.slowAfter(), least, least)
	answer(2000, 400*time.Millisecond)
	within("slower", p.slowAfter(), 800*time.Millisecond, 960*time.Millisecond)
	answer(3000, 20*time.Second)
	within("very slow", p.slowAfter(), objstore.MaxHedgeAfter, objstore.MaxHedgeAfter)
	answer(6000, 10*time.Millisecond)
	within("fast again", p.slowAfter(), least, least)
	if slow := newPatience(-1).slowAfter(); slow != 0 {
		t.Errorf("without hedges slow is %v", slow)
	}
}

func TestLatencyBuckets(t *testing.T) {
	for d := time.Nanosecond; d < 100*time.Second; d = d*9/8 + 1 {
		i := latencyBucket(d)
		if i < latencyBuckets-1 && bucketBound(i) < d-1 || i > 0 && bucketBound(i-1) > d+1 {
			t.Errorf("%v is in the bucket up to %v", d, bucketBound(i))
		}
	}
}

func TestHedgesAreFew(t *testing.T) {
	now := time.Now()
	p := newPatience(time.Millisecond)
	p.now = func() time.Time { return now }
	spend := func() (n int) {
		for p.spend() {
			n++
		}
		return n
	}
	if n := spend(); n != hedgeBurst/2 {
		t.Errorf("%d hedges at first", n)
	}
	hedges := 0
	for range 10_000 {
		p.earn()
		if p.spend() {
			hedges++
		}
	}
	if hedges < 499 || hedges > 500 {
		t.Errorf("%d hedges of 10,000 reads", hedges)
	}
	for range 10_000 {
		p.earn()
	}
	if n := spend(); n != hedgeBurst {
		t.Errorf("%d hedges were saved up", n)
	}
	for range 10_000 {
		p.earn()
	}
	p.throttled()
	now = now.Add(hedgePause - 1)
	if n := spend(); n != 0 {
		t.Errorf("%d hedges after the store asked to slow down", n)
	}
	now = now.Add(1)
	if n := spend(); n == 0 {
		t.Error("no hedges long after the store asked to slow down")
	}
}
