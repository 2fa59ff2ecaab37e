package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// ErrUnfit says that the Redis is set up, or of a kind, such that the state of jobs would not be safe in it.
var ErrUnfit = errors.New("this Redis can't keep the state of jobs")

// minVersion is the first Redis whose scripts may read the clock and then write, and that has
// streams.
const minVersion = 5

// needed are the commands that may be missing from servers that only speak Redis's protocol, or
// have been renamed away.
var needed = []string{"evalsha", "script", "time", "blpop", "pexpire", "hscan", "xadd", "xread", "zrevrangebyscore"}

// CheckServer finds out whether the Redis, or each master of the cluster, can keep the state: it
// must not evict keys (ErrUnfit, and why), and it should keep them across a restart (a warning in
// log). A server that does not tell is warned of and taken as it is.
func (s *Store) CheckServer(ctx context.Context, log *slog.Logger) error {
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

// checkNode is CheckServer of one server.
func checkNode(ctx context.Context, rdb redis.Cmdable, log *slog.Logger) error {
	text, err := rdb.Info(ctx).Result() // unlike CONFIG it is allowed nearly everywhere
	if err != nil {
		log.Warn("Redis does not tell how it is set up: make sure that its maxmemory-policy is noeviction", "error", err)
		return nil
	}
	info := parseInfo(text)
	if err := checkVersion(info); err != nil {
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

// parseInfo reads the answer of INFO: lines of NAME:VALUE.
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

// checkCommands makes sure that none that is needed is missing.
func checkCommands(ctx context.Context, rdb redis.Cmdable) error {
	args := []any{"command", "info"}
	for _, name := range needed {
		args = append(args, name)
	}
	pipe := rdb.Pipeline()
	answer := pipe.Do(ctx, args...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil //nolint:nilerr // it is not allowed to tell; what is missing will be told by the first call that needs it
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

// checkEviction makes sure that a full Redis refuses writes and does not make room for them.
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

// checkPersistence warns of a Redis that forgets all when it restarts.
func checkPersistence(ctx context.Context, rdb redis.Cmdable, info map[string]string, log *slog.Logger) {
	if info["aof_enabled"] != "0" {
		return // it has an append-only file, or does not tell
	}
	// Only the configuration tells of snapshots, and where that is not to be had somebody else
	// takes care of them.
	config, err := rdb.ConfigGet(ctx, "save").Result()
	if save, ok := config["save"]; err != nil || !ok || save != "" {
		return
	}
	log.Warn("Redis keeps nothing on disk (appendonly no, save \"\"): after its restart jobs are rebuilt from the object store, " +
		"and their history is lost; appendonly yes keeps it")
}
