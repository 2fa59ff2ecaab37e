package state

import (
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// Limits bound how often a task may fail, by class of failure, and how long it rests between.
type Limits struct {
	User    int           // attempts that fail by the program's fault, default 4
	Infra   int           // by the infrastructure's, default 20
	Lost    int           // executors that vanish while they run it, default 6
	Segment int           // times that its committed output is found missing or corrupt, default 3
	Shun    time.Duration // how long an executor leaves a task that it failed at to others; default 3s, negative: not at all
	Backoff time.Duration // before the second attempt after an infrastructure failure; doubles, with jitter; default 1s
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
