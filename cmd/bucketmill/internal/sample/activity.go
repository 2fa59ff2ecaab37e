package sample

import (
	"strconv"
	"time"
)

const (
	activityLines    = 4096    // of a block
	activityUsers    = 100_000 // distinct
	activityInterval = 250 * time.Millisecond
	purchase         = "purchase"
)

var actions = []weighted{{"view", 68}, {"click", 20}, {"add_to_cart", 6}, {purchase, 3}, {"logout", 3}}

// Activity is a source of CSV lines about the users of a shop: a time, which never decreases, with
// four lines per second; a user, drawn by Zipf's law; an action; and the amount of a purchase, with
// two decimals, or nothing.
type Activity struct {
	seed   uint64
	user   chooser
	action choices
}

// NewActivity returns the activity of 100,000 users.
func NewActivity(seed uint64) *Activity {
	return &Activity{seed: seed, user: newZipf(activityUsers), action: newChoices(actions)}
}

// Header returns the names of the columns.
func (a *Activity) Header() []byte { return []byte("timestamp,user,action,amount\n") }

// AppendBlock appends 4096 lines.
func (a *Activity) AppendBlock(dst []byte, n uint64) []byte {
	random := blockRand(a.seed, n)
	times := clock{layout: time.RFC3339, interval: activityInterval}
	for line := n * activityLines; line < (n+1)*activityLines; line++ {
		dst = times.append(dst, random, line)
		dst = append(dst, ",u"...)
		dst = strconv.AppendInt(dst, userNumber(a.user.choose(random.Uint64())), 10)
		dst = append(dst, ',')
		action := a.action.choose(random.Uint64())
		dst = append(dst, action...)
		dst = append(dst, ',')
		if action == purchase {
			dst = appendAmount(dst, random.Uint64())
		}
		dst = append(dst, '\n')
	}
	return dst
}

// userNumber maps ranks to distinct numbers of six digits that do not show the rank: the factor and
// the modulus have no common divisor.
func userNumber(rank int) int64 { return 100_000 + int64(rank)*7_919%899_981 }

// appendAmount appends a price from 1.00 to 500.00; small ones are more frequent.
func appendAmount(dst []byte, random uint64) []byte {
	cents := 100 + below(random, below(random<<32, 49_901)+1)
	dst = strconv.AppendUint(dst, cents/100, 10)
	return append(dst, '.', '0'+byte(cents/10%10), '0'+byte(cents%10))
}
