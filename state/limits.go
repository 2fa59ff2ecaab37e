package state

import (
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// Limits are the limits on how often a task may fail, by class of failure, and how long it rests in
// between.
type Limits struct {
	User    int           // attempts that fail because of the program; default 4
	Infra   int           // because of the infrastructure; default 20
	Lost    int           // executors that vanish while they run the task; default 6
	Segment int           // times that its committed output is found missing or corrupt; default 3
	Shun    time.Duration // how long an executor leaves a task that failed there to others; default 3s, negative: 0
	Backoff time.Duration // wait before the next attempt after an infrastructure failure; doubles, with jitter; default 1s
}

// DefaultLimits are used where a field is zero.
var DefaultLimits = Limits{User: 4, Infra: 20, Lost: 6, Segment: 3, Shun: 3 * time.Second, Backoff: time.Second}

// Or returns l with zero fields taken from d.
func (l Limits) Or(d Limits) Limits {
	if l.User == 0 {
		l.User = d.User
	}
	if l.Infra == 0 {
		l.Infra = d.Infra
	}
	if l.Lost == 0 {
		l.Lost = d.Lost
	}
	if l.Segment == 0 {
		l.Segment = d.Segment
	}
	if l.Shun == 0 {
		l.Shun = d.Shun
	}
	if l.Backoff == 0 {
		l.Backoff = d.Backoff
	}
	return l
}

func (l Limits) of(c job.Class) int {
	switch c {
	case job.ClassUser:
		return l.User
	case job.ClassLost:
		return l.Lost
	case job.ClassSegment:
		return l.Segment
	}
	return l.Infra
}
