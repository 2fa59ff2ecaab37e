package state

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Memory returns how many bytes Redis uses and may use; in a cluster, those of the fullest node.
// Most is 0 if there is no limit or the server reports none.
func (s *Store) Memory(ctx context.Context) (used, most int64, err error) {
	var mu sync.Mutex // guards the results
	ask := func(ctx context.Context, node redis.Cmdable) error {
		text, err := node.Info(ctx).Result()
		if err != nil {
			return fmt.Errorf("read Redis's use of memory: %w", err)
		}
		info := parseInfo(text)
		u, _ := strconv.ParseInt(info["used_memory"], 10, 64) // 0: not reported
		m, _ := strconv.ParseInt(info["maxmemory"], 10, 64)
		mu.Lock()
		defer mu.Unlock()
		if m > 0 && (most == 0 || float64(u)/float64(m) > float64(used)/float64(most)) {
			used, most = u, m
		}
		return nil
	}
	if cluster, ok := s.rdb.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return ask(ctx, node) })
	} else {
		err = ask(ctx, s.rdb)
	}
	return used, most, err
}
