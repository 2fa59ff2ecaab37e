package s3bucket

import (
	"math"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// A read that takes longer than most is hedged: sent again, as in Dean and Barroso, "The Tail at
// Scale" (2013). If everything is slow, hedges would only add load; hence the limits.
const (
	hedgeShare  = 0.05             // of all reads, at most
	hedgeBurst  = 10.0             // hedges that can be saved up
	hedgePause  = 10 * time.Second // without hedges, after the store asked to slow down
	hedgesEach  = 2                // per read, at most
	slowQuantum = 0.95             // the share of reads that do not count as slow

	// A read is slow after firstPatience until a bucket has had enoughSamples answers.
	enoughSamples = 20
	firstPatience = time.Second

	// After this number of answers, the older ones lose half of their weight.
	recentSamples = 512
)

// patience decides when a read is slow, and whether it may be sent again. It is safe for
// concurrent use.
type patience struct {
	least time.Duration // negative: no read is ever slow
	now   func() time.Time

	mu     sync.Mutex
	counts [latencyBuckets]int // guarded by mu, like the fields below: answers by latency
	total  int                 // the sum of counts
	added  int                 // answers since counts were halved
	tokens float64             // hedges that may be sent
	paused time.Time           // no hedges until then
}

func newPatience(least time.Duration) *patience {
	return &patience{least: least, now: time.Now, tokens: hedgeBurst / 2}
}

// latencyBuckets is the number of buckets for latencies. Their bounds begin at 1 ms and grow by the
// fourth root of 2, up to more than a minute.
const latencyBuckets = 68

func latencyBucket(d time.Duration) int {
	steps := math.Ceil(4 * math.Log2(float64(d)/float64(time.Millisecond)))
	return int(min(max(steps, 0), latencyBuckets-1))
}

func bucketBound(i int) time.Duration {
	return time.Duration(float64(time.Millisecond) * math.Exp2(float64(i)/4))
}

// earn adds a read's share of a hedge.
func (p *patience) earn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = min(p.tokens+hedgeShare, hedgeBurst)
}

// observe records how long an answer took, or how long it was waited for.
func (p *patience) observe(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[latencyBucket(d)]++
	p.total++
	if p.added++; p.added < recentSamples {
		return
	}
	p.added, p.total = 0, 0
	for i := range p.counts {
		p.counts[i] /= 2
		p.total += p.counts[i]
	}
}

// slowAfter returns the time after which a read is slow, or 0 if no read is ever slow.
func (p *patience) slowAfter() time.Duration {
	if p.least < 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total < enoughSamples {
		return max(p.least, firstPatience)
	}
	most, seen := int(math.Ceil(slowQuantum*float64(p.total))), 0
	for i, n := range p.counts {
		if seen += n; seen >= most {
			return max(p.least, min(2*bucketBound(i), objstore.MaxHedgeAfter))
		}
	}
	return max(p.least, objstore.MaxHedgeAfter)
}

// spend reports whether a hedge may be sent, and takes its token.
func (p *patience) spend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tokens < 1 || p.now().Before(p.paused) {
		return false
	}
	p.tokens--
	return true
}

// throttled stops hedges for a while because the store asks to slow down.
func (p *patience) throttled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = p.now().Add(hedgePause)
}
