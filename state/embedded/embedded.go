// Package embedded runs the Redis of a cluster that lives in one process: "bucketmill run" and
// "bucketmill dev". It keeps nothing on disk and ends with the process.
//
// It is miniredis, which serves one command at a time and is slow; it is meant for the few hundred
// keys and calls per second of one machine. Two things about it matter here:
//
//   - Its keys expire only when it is told how much time has passed. Without that a lease
//     would never expire, and no attempt of a stuck executor would be reassigned. A goroutine
//     tells it. (Its own ClockTTL would do so, too, but within each access: a key could expire
//     in the middle of a script, and every access sorts all keys.)
//   - It has no keyspace notifications, so the store's CallOnExpiry has no effect.
//
// Anybody who can write to it can have any command run as our user, and every user of the machine
// can connect to its port. So it requires a password that only this process knows.
package embedded

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

const (
	tick = 50 * time.Millisecond // a key outlives its TTL by that much at most

	// maxStep is the limit of the time that passes in one tick. Executors are in the same process:
	// if it stood still for longer (in a debugger, after ^Z), they could not renew their leases
	// either.
	maxStep = time.Second
)

// Embedded is a Redis inside this process. Its methods are safe for concurrent use.
type Embedded struct {
	server   *miniredis.Miniredis
	addr     string
	password string
	once     sync.Once
	stop     chan struct{}
	done     chan struct{} // closed when the clock's goroutine has ended
}

// Start serves an empty Redis on a free loopback port, until Close.
func Start() (*Embedded, error) {
	server, password := miniredis.NewMiniRedis(), rand.Text()
	server.RequireAuth(password)
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start embedded redis: %w", err)
	}
	e := &Embedded{server: server, addr: server.Addr(), password: password, stop: make(chan struct{}), done: make(chan struct{})}
	go e.runClock()
	return e, nil
}

// Addr returns host:port, even after Close.
func (e *Embedded) Addr() string { return e.addr }

// URL returns the URL for state.Connect. It contains the password: do not log it.
func (e *Embedded) URL() string { return "redis://:" + e.password + "@" + e.Addr() + "/0" }

// Close stops the server, even while commands are waiting, and returns when its clock has stopped.
// All state is then gone. Closing again does nothing.
func (e *Embedded) Close() {
	e.once.Do(func() {
		close(e.stop)
		<-e.done
		e.server.Close()
	})
}

// runClock makes keys expire. TIME needs no help: it reads this machine's clock.
func (e *Embedded) runClock() {
	defer close(e.done)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-e.stop:
			return
		case now := <-ticker.C:
			e.server.FastForward(min(now.Sub(last), maxStep))
			last = now
		}
	}
}
