package s3bucket

import (
	"math"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// Hedging sends a read again that takes longer than most, as in Dean and Barroso, "The Tail at
// Scale" (2013). Where everything is slow that would only add to the load, hence the limits.
const (
	hedgeShare  = 0.05             // of the reads, at most
	hedgeBurst  = 10.0             // hedges that may be saved up
	hedgePause  = 10 * time.Second // without any, after the store asked to slow down
	hedgesEach  = 2                // of one read, at most
	slowQuantum = 0.95             // so many reads are not slow

	// Until a bucket has seen enough answers to know what is slow, this is.
	enoughSamples = 20
	firstPatience = time.Second

	// Every so many answers the older ones lose half of their weight.
	recentSamples = 512
)

// patience decides when a read is slow, and whether it may be sent again. It is safe for
// concurrent use.
type patience struct {
	least time.Duration // negative: for ever
	now   func() time.Time

	mu     sync.Mutex
	counts [latencyBuckets]int // guarded by mu, like the rest: of answers by their latency
	total  int
	added  int       // since the counts were halved
	tokens float64   // hedges that may be sent
	paused time.Time // no hedges until then
}

func newPatience(least time.Duration) *patience {
	return &patience{least: least, now: time.Now, tokens: hedgeBurst / 2}
}

// Latencies fall into buckets whose bounds grow by the fourth root of 2 from 1 ms on, which reaches
// beyond a minute.
const latencyBuckets = 68

func latencyBucket(d time.Duration) int {
	steps := math.Ceil(4 * math.Log2(float64(d)/float64(time.Millisecond)))
	return int(min(max(steps, 0), latencyBuckets-1))
}

func bucketBound(i int) time.Duration {
	return time.Duration(float64(time.Millisecond) * math.Exp2(float64(i)/4))
}

// sent takes note of a read, of which so many allow one hedge.
func (p *patience) sent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = min(p.tokens+hedgeShare, hedgeBurst)
}

// answered takes note of how long an answer took, or at least took when it was given up.
func (p *patience) answered(d time.Duration) {
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

// slow is how long a read may take before it counts as slow, or 0 for as long as it likes.
func (p *patience) slow() time.Duration {
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

// spend allows a hedge, or not.
func (p *patience) spend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tokens < 1 || p.now().Before(p.paused) {
		return false
	}
	p.tokens--
	return true
}

// throttled takes note that the store asks to slow down.
func (p *patience) throttled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = p.now().Add(hedgePause)
}
