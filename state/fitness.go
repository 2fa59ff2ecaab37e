package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrUnfit reports a Redis that cannot keep the state of jobs safely, because of its kind or its
// configuration.
var ErrUnfit = errors.New("this Redis can't keep the state of jobs")

// minVersion is the first version of Redis whose scripts may read the clock and then write, and
// that has streams.
const minVersion = 5

// needed are the commands that a server may lack, because it only imitates Redis or because its
// configuration renames commands.
var needed = []string{"evalsha", "script", "time", "blpop", "pexpire", "hscan", "xadd", "xread", "zrevrangebyscore"}

// CheckServer checks whether the Redis, or each master of the cluster, can keep the state: it must
// not evict keys, and it must run scripts like ours and answer blocking calls; otherwise
// CheckServer fails with ErrUnfit and the reason. The Redis should also keep keys across a restart;
// otherwise CheckServer logs a warning. It also warns about a server that does not report its
// configuration. It accepts a server that it cannot test, for example because it is full.
func (s *Store) CheckServer(ctx context.Context, log *slog.Logger) error {
	if err := s.checkNodes(ctx, log); err != nil {
		return err
	}
	err := s.try(ctx)
	var reply redis.Error
	switch {
	case err == nil:
		return nil
	case OutageReply(err) != "":
		log.Warn("Redis does not answer: whether it can run scripts is unknown", "error", err)
		return nil
	case errors.Is(err, ErrMalformed), errors.As(err, &reply):
		return fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	return err
}

// try has the server do what we need, with keys made for this: a script that does what ours do, and
// blocking calls. Nothing of them remains. What the server reports about itself does not matter
// here.
func (s *Store) try(ctx context.Context) (err error) {
	key := s.namespace + ":fit:{" + rand.Text() + "}"
	list, stream := key+":list", key+":stream"
	v, err := fitScript.call(ctx, s.rdb, []string{key, key + ":zset", list, stream}, "é {x} 1e3")
	if err != nil {
		return fmt.Errorf("it cannot run scripts like ours: %w", err)
	}
	r := fitScript.replyOf(v)
	r.status("ok")
	r.number("the time", 1)
	if r.text("the text") != "é {x} 1e3" {
		r.fail("the text is another")
	}
	r.yes("the integer")
	if err := r.done(); err != nil {
		return err
	}
	defer func() {
		if left := s.rdb.Del(ctx, list, stream).Err(); err == nil {
			err = left
		}
	}()
	if err := s.rdb.RPush(ctx, list, "1").Err(); err != nil {
		return fmt.Errorf("try a list: %w", err)
	}
	if err := s.rdb.BLPop(ctx, time.Second, list).Err(); err != nil {
		return fmt.Errorf("it cannot wait on a list (BLPOP): %w", err)
	}
	if err := s.rdb.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []any{"kind", "x"}}).Err(); err != nil {
		return fmt.Errorf("try a stream (XADD): %w", err)
	}
	if err := s.rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{stream, "0"}, Count: 1, Block: time.Second}).Err(); err != nil {
		return fmt.Errorf("it cannot wait on a stream (XREAD): %w", err)
	}
	return nil
}

// checkNodes reads the configuration of the server, or of each master of a cluster.
func (s *Store) checkNodes(ctx context.Context, log *slog.Logger) error {
	cluster, ok := s.rdb.(*redis.ClusterClient)
	if !ok {
		return checkNode(ctx, s.rdb, log)
	}
	var (
		mu   sync.Mutex
		errs []error
	)
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		log := log.With("node", node.Options().Addr)
		if err := checkNode(ctx, node, log); err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, fmt.Errorf("node %s: %w", node.Options().Addr, err))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ask the cluster's masters: %w", err)
	}
	return errors.Join(errs...)
}

// checkNode does for one server what CheckServer describes.
func checkNode(ctx context.Context, rdb redis.Cmdable, log *slog.Logger) error {
	text, err := rdb.Info(ctx).Result() // unlike CONFIG, INFO is allowed nearly everywhere
	if err != nil {
		log.Warn("Redis does not tell how it is set up: make sure that its maxmemory-policy is noeviction", "error", err)
		return nil
	}
	info := parseInfo(text)
	if err := checkVersion(info); err != nil {
		return err
	}
	if err := checkThreads(info); err != nil {
		return err
	}
	if err := checkCommands(ctx, rdb); err != nil {
		return err
	}
	if err := checkEviction(info, log); err != nil {
		return err
	}
	checkPersistence(ctx, rdb, info, log)
	return nil
}

// parseInfo parses the reply of INFO: lines of NAME:VALUE.
func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			info[name] = value
		}
	}
	return info
}

func checkVersion(info map[string]string) error {
	version := info["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < minVersion {
		return fmt.Errorf("%w: it is Redis %s, and at least %d is needed", ErrUnfit, version, minVersion)
	}
	return nil
}

// checkThreads refuses a KeyDB with more than one thread, as it hangs in blocking calls
// (Snapchat/KeyDB issues 794, 883, 928).
func checkThreads(info map[string]string) error {
	_, keyDB := info["mvcc_depth"]
	if n, err := strconv.Atoi(info["server_threads"]); keyDB && err == nil && n > 1 {
		return fmt.Errorf("%w: it is KeyDB with %d threads, which hangs in blocking calls; start it with --server-threads 1, or use Redis or Valkey", ErrUnfit, n)
	}
	return nil
}

// checkCommands checks that no needed command is missing.
func checkCommands(ctx context.Context, rdb redis.Cmdable) error {
	args := []any{"command", "info"}
	for _, name := range needed {
		args = append(args, name)
	}
	pipe := rdb.Pipeline()
	answer := pipe.Do(ctx, args...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil //nolint:nilerr // we may not ask; the first call that needs a missing command will fail
	}
	known, err := answer.Slice()
	if err != nil || len(known) != len(needed) {
		return nil //nolint:nilerr // as above
	}
	var missing []string
	for i, description := range known {
		if fields, ok := description.([]any); !ok || len(fields) == 0 {
			missing = append(missing, strings.ToUpper(needed[i]))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: it lacks %s", ErrUnfit, strings.Join(missing, ", "))
	}
	return nil
}

// checkEviction checks that a full Redis refuses writes instead of evicting keys.
func checkEviction(info map[string]string, log *slog.Logger) error {
	limit, policy := info["maxmemory"], info["maxmemory_policy"]
	switch {
	case limit == "" || policy == "":
		log.Warn("Redis does not tell its maxmemory-policy: make sure that it is noeviction")
	case limit != "0" && policy != "noeviction":
		return fmt.Errorf("%w: when its maxmemory of %s bytes is used up, its maxmemory-policy %s removes keys, "+
			"and with them leases, results of tasks and whole jobs; set it to noeviction "+
			"(CONFIG SET maxmemory-policy noeviction, and in redis.conf), which has writes refused instead",
			ErrUnfit, limit, policy)
	}
	return nil
}

// checkPersistence warns about a Redis that loses everything when it restarts.
func checkPersistence(ctx context.Context, rdb redis.Cmdable, info map[string]string, log *slog.Logger) {
	if info["aof_enabled"] != "0" {
		return // it has an append-only file, or does not report it
	}
	// Only the configuration mentions snapshots; if it cannot be read, somebody else operates the
	// server and takes care of them.
	config, err := rdb.ConfigGet(ctx, "save").Result()
	if save, ok := config["save"]; err != nil || !ok || save != "" {
		return
	}
	log.Warn("Redis keeps nothing on disk (appendonly no, save \"\"): after its restart jobs are rebuilt from the object store, " +
		"and their history is lost; appendonly yes keeps it")
}
