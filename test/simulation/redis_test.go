package simulation

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// redisWorld is the Redis of a run: a miniredis without a network. The scheduler sets its clock.
// Only the scheduler calls it while processes run.
type redisWorld struct {
	server *miniredis.Miniredis
	skew   time.Duration // its clock minus the run's
	passed time.Time     // keys that expire before have been removed
}

func newRedisWorld() (*redisWorld, error) {
	w := &redisWorld{server: miniredis.NewMiniRedis(), passed: time.Now()}
	conn, err := w.server.Dial() // starts it without a listener
	if err != nil {
		return nil, err
	}
	w.setTime(time.Now())
	return w, conn.Close()
}

// setTime advances the server's clock, and removes expired keys.
func (w *redisWorld) setTime(now time.Time) {
	if d := now.Sub(w.passed); d > 0 {
		w.server.FastForward(d)
		w.passed = now
	}
	w.server.SetTime(now.Add(w.skew))
}

// jump sets the clock forward or back. Redis keeps the times at which keys expire, so keys live
// shorter or longer.
func (w *redisWorld) jump(d time.Duration) {
	w.skew += d
	if d > 0 {
		w.server.FastForward(d)
		return
	}
	for _, key := range w.server.Keys() {
		if ttl := w.server.TTL(key); ttl > 0 {
			w.server.SetTTL(key, ttl-d)
		}
	}
}

// do executes a command and returns the reply in wire format.
func (w *redisWorld) do(args []string) []byte {
	var reply bytes.Buffer
	out := bufio.NewWriterSize(&reply, 512)
	w.server.Server().Dispatch(server.NewPeer(out), args)
	_ = out.Flush() // to memory
	return reply.Bytes()
}

// value is the content of a key in a copy of the keyspace.
type value struct {
	key, kind string
	text      string
	fields    map[string]string
	items     []string
	scores    map[string]float64
	entries   []miniredis.StreamEntry
	expires   time.Time // zero: never
}

// copyAll copies the keyspace.
func (w *redisWorld) copyAll() ([]value, error) {
	w.setTime(time.Now())
	var all []value
	for _, key := range w.server.Keys() {
		v := value{key: key, kind: w.server.Type(key)}
		var err error
		switch v.kind {
		case "string":
			v.text, err = w.server.Get(key)
		case "hash":
			var fields []string
			fields, err = w.server.HKeys(key)
			v.fields = map[string]string{}
			for _, f := range fields {
				v.fields[f] = w.server.HGet(key, f)
			}
		case "list":
			v.items, err = w.server.List(key)
		case "set":
			v.items, err = w.server.Members(key)
		case "zset":
			v.scores, err = w.server.SortedSet(key)
		case "stream":
			v.entries, err = w.server.Stream(key)
		}
		if err != nil {
			return nil, fmt.Errorf("copy %s %s: %w", v.kind, key, err)
		}
		v.items, v.scores, v.entries = slices.Clone(v.items), maps.Clone(v.scores), slices.Clone(v.entries)
		if ttl := w.server.TTL(key); ttl > 0 {
			v.expires = time.Now().Add(ttl)
		}
		all = append(all, v)
	}
	return all, nil
}

// restore replaces the keyspace by a copy, as in a failover to a replica that lags. A replica has
// none of our scripts in its cache.
func (w *redisWorld) restore(all []value) error {
	w.server.FlushAll()
	w.do([]string{"SCRIPT", "FLUSH"})
	for _, v := range all {
		if err := w.put(v); err != nil {
			return fmt.Errorf("restore %s: %w", v.key, err)
		}
	}
	w.setTime(time.Now())
	return nil
}

func (w *redisWorld) put(v value) (err error) {
	ttl := time.Until(v.expires)
	if !v.expires.IsZero() && ttl <= 0 {
		return nil
	}
	switch v.kind {
	case "string":
		err = w.server.Set(v.key, v.text)
	case "hash":
		for _, f := range slices.Sorted(maps.Keys(v.fields)) {
			w.server.HSet(v.key, f, v.fields[f])
		}
	case "list":
		_, err = w.server.Push(v.key, v.items...)
	case "set":
		_, err = w.server.SetAdd(v.key, v.items...)
	case "zset":
		for _, m := range slices.Sorted(maps.Keys(v.scores)) {
			if _, err = w.server.ZAdd(v.key, v.scores[m], m); err != nil {
				break
			}
		}
	case "stream":
		for _, e := range v.entries {
			if _, err = w.server.XAdd(v.key, e.ID, e.Values); err != nil {
				break
			}
		}
	default:
		err = fmt.Errorf("a %s can't be copied", v.kind)
	}
	if err == nil && !v.expires.IsZero() {
		w.server.SetTTL(v.key, ttl)
	}
	return err
}

// client connects a process to the world. It is the real client; only its connections belong to the
// scheduler.
func (s *sim) client(p *process, retries int) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:6379", Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaxRetries: retries, MinRetryBackoff: -1, MaxRetryBackoff: -1, PoolSize: 40,
		ConnMaxIdleTime: -1, DialerRetries: 1,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			return &conn{sim: s, process: p}, nil
		},
	})
}

// conn is a client's connection. Commands are executed in order, each when the scheduler decides; a
// pipeline is not a transaction.
type conn struct {
	sim     *sim
	process *process

	in, out bytes.Buffer // confined to the goroutine that reads and writes
	broken  bool

	mu       sync.Mutex
	deadline time.Time
	alarm    *time.Timer
	current  *request // guarded by mu
	closed   bool     // guarded by mu
}

func (c *conn) Write(p []byte) (int, error) {
	if c.broken {
		return 0, net.ErrClosed
	}
	return c.in.Write(p)
}

func (c *conn) Read(p []byte) (int, error) {
	for c.out.Len() == 0 {
		if c.broken {
			return 0, net.ErrClosed
		}
		args, n, err := parseCommand(c.in.Bytes())
		if err != nil {
			return 0, err
		}
		c.in.Next(n)
		reply, err := c.roundTrip(args)
		if err != nil {
			c.broken = true
			return 0, err
		}
		c.out.Write(reply)
	}
	return c.out.Read(p)
}

func (c *conn) roundTrip(args []string) ([]byte, error) {
	switch strings.ToUpper(args[0]) {
	case "HELLO", "CLIENT", "SELECT", "PING":
		return c.sim.redis.do(args), nil // it changes nothing
	}
	var reply []byte
	r := &request{process: c.process, service: redisService, what: describe(args)}
	blocking(c.sim.redis, r, &args)
	r.exec = func(*request) {
		before := c.sim.look(args)
		reply = c.sim.redis.do(args)
		c.sim.judge(before, args, reply)
		if strings.EqualFold(args[0], "LPOP") {
			reply = popped(args[1], reply)
		}
		c.sim.watch.redis(c.sim, args, reply)
	}
	c.begin(r)
	err := c.sim.ask(r)
	c.end()
	return reply, err
}

// begin makes the request end with the connection's deadline, or when the connection is closed.
func (c *conn) begin(r *request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = r
	if c.closed {
		r.gaveUp = net.ErrClosed
	}
	if !c.deadline.IsZero() {
		c.alarm = time.AfterFunc(time.Until(c.deadline), func() { c.sim.giveUp(r, errLate) })
	}
}

func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = nil
	if c.alarm != nil {
		c.alarm.Stop()
	}
}

func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.current != nil {
		c.sim.giveUp(c.current, net.ErrClosed)
	}
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

func (c *conn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(time.Time) error { return nil } // writing takes no time
func (c *conn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *conn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// parseCommand parses a command in wire format, and returns its length in bytes.
func parseCommand(text []byte) (args []string, n int, err error) {
	rest := text
	number := func(kind byte) (int, error) {
		line, after, ok := bytes.Cut(rest, []byte("\r\n"))
		if !ok || len(line) < 2 || line[0] != kind {
			return 0, io.ErrUnexpectedEOF
		}
		rest = after
		return strconv.Atoi(string(line[1:]))
	}
	count, err := number('*')
	for range count {
		size, nerr := number('$')
		if nerr != nil || len(rest) < size+2 {
			return nil, 0, io.ErrUnexpectedEOF
		}
		args = append(args, string(rest[:size]))
		rest = rest[size+2:]
	}
	return args, len(text) - len(rest), err
}

// blocking turns a blocking command into one that does not block, and makes the scheduler wait
// instead.
func blocking(w *redisWorld, r *request, args *[]string) {
	a := *args
	switch strings.ToUpper(a[0]) {
	case "BLPOP":
		seconds, err := strconv.ParseFloat(a[len(a)-1], 64)
		if err != nil || len(a) != 3 {
			panic(fmt.Sprintf("the simulation does not know this kind of %q", a))
		}
		r.until = time.Now().Add(time.Duration(seconds * float64(time.Second)))
		r.ready = func() bool { return w.server.Exists(a[1]) }
		*args = []string{"LPOP", a[1]}
	case "XREAD":
		i := slices.IndexFunc(a, func(arg string) bool { return strings.EqualFold(arg, "BLOCK") })
		if i < 0 {
			return
		}
		ms, err := strconv.Atoi(a[i+1])
		if err != nil {
			panic(fmt.Sprintf("the simulation does not know this kind of %q", a))
		}
		plain := slices.Delete(slices.Clone(a), i, i+2)
		lastIDs(w, plain)
		r.until = time.Now().Add(time.Duration(ms) * time.Millisecond)
		r.ready = func() bool { return hasNews(w, plain) }
		*args = plain
	case "BLMOVE", "BRPOP", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "XREADGROUP", "SUBSCRIBE", "WAIT":
		panic(fmt.Sprintf("the simulation does not know %s", a[0]))
	}
}

// lastIDs replaces "$" in an XREAD by the id of the newest entry.
func lastIDs(w *redisWorld, args []string) {
	at := slices.IndexFunc(args, func(arg string) bool { return strings.EqualFold(arg, "STREAMS") })
	streams := args[at+1:]
	for i, id := range streams[len(streams)/2:] {
		if id != "$" {
			continue
		}
		args[at+1+len(streams)/2+i] = "0"
		if entries, err := w.server.Stream(streams[i]); err == nil && len(entries) > 0 {
			args[at+1+len(streams)/2+i] = entries[len(entries)-1].ID
		}
	}
}

// hasNews reports whether an XREAD of one stream would find something. Its last two arguments are
// the stream and the id after which to look.
func hasNews(w *redisWorld, args []string) bool {
	stream, place := args[len(args)-2], args[len(args)-1]
	entries, err := w.server.Stream(stream)
	if err != nil || len(entries) == 0 {
		return false
	}
	newest, number := streamID(entries[len(entries)-1].ID)
	t, n := streamID(place)
	return newest > t || newest == t && number > n
}

// streamID splits the id of a stream's entry into its time (ms) and the number within that time.
func streamID(id string) (t, n uint64) {
	ms, number, _ := strings.Cut(id, "-")
	t, _ = strconv.ParseUint(ms, 10, 64) // an id that Redis made
	n, _ = strconv.ParseUint(number, 10, 64)
	return t, n
}

// popped returns BLPOP's reply for LPOP's.
func popped(key string, reply []byte) []byte {
	if !bytes.HasPrefix(reply, []byte("$")) || bytes.HasPrefix(reply, []byte("$-1")) {
		if bytes.HasPrefix(reply, []byte("-")) {
			return reply
		}
		return []byte("*-1\r\n")
	}
	return fmt.Appendf(nil, "*2\r\n$%d\r\n%s\r\n%s", len(key), key, reply)
}

// scriptNames has the names of the state's scripts by SHA-1.
var scriptNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	folder := filepath.Join("..", "..", "state", "lua")
	common, err := os.ReadFile(filepath.Join(folder, "common.lua"))
	if err != nil {
		panic(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.lua"))
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		names[hash(string(text))] = name
		names[hash(string(common)+string(text))] = name
	}
	return names
})

func hash(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// script parses a call of a script; false for any other command.
func script(args []string) (name string, keys, argv []string, ok bool) {
	sha := ""
	switch strings.ToUpper(args[0]) {
	case "EVALSHA":
		sha = args[1]
	case "EVAL":
		sha = hash(args[1])
	default:
		return "", nil, nil, false
	}
	n, err := strconv.Atoi(args[2])
	if err != nil || len(args) < 3+n {
		return "", nil, nil, false
	}
	name, known := scriptNames()[sha]
	if !known {
		name = "script-" + sha[:6]
	}
	return name, args[3 : 3+n], args[3+n:], true
}

// describe returns a command as one line, which is the same in each run of a seed.
func describe(args []string) string {
	var line strings.Builder
	shown := args
	if name, keys, argv, ok := script(args); ok {
		fmt.Fprintf(&line, "%s(%s) %s", name, strings.ToLower(args[0]), keys[0])
		shown = argv
	} else if strings.EqualFold(args[0], "SET") {
		shown = args[:2] // an executor's report has the memory of a real process
	}
	for i, arg := range shown {
		if i > 0 || line.Len() > 0 {
			line.WriteByte(' ')
		}
		if len(arg) > 120 {
			arg = fmt.Sprintf("%s…[%s]", arg[:60], hash(pagesName.ReplaceAllString(arg, "PAGES"))[:8])
		}
		if q := strconv.Quote(arg); len(q) != len(arg)+2 || strings.Contains(arg, " ") || arg == "" {
			arg = q
		}
		line.WriteString(arg)
	}
	return line.String()
}
