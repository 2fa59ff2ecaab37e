package sample

import (
	"math/rand/v2"
	"time"
)

// A clock gives records times that never decrease: each record gets a random time in its interval.
// It formats each second once.
type clock struct {
	layout   string
	interval time.Duration
	second   int64  // since the epoch
	text     []byte // second, formatted
}

// append appends the time of record n of the stream to dst, in whole seconds.
func (c *clock) append(dst []byte, random *rand.PCG, n uint64) []byte {
	at := time.Duration(n)*c.interval + time.Duration(below(random.Uint64(), uint64(c.interval)))
	if second := int64(at / time.Second); len(c.text) == 0 || second != c.second {
		c.second = second
		c.text = epoch.Add(at).AppendFormat(c.text[:0], c.layout)
	}
	return append(dst, c.text...)
}
