package executor_test

import (
	"context"
	"io"
	"iter"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/objstore"
)

// fault decides whether a call of a bucket's method fails: nil lets it pass.
type fault func(ctx context.Context, method, key string) error

// faultyBucket calls its fault before each call that reads or writes.
type faultyBucket struct {
	objstore.Bucket
	fault fault
}

// faulty wraps every bucket that open returns in a faultyBucket.
func faulty(open objstore.Opener, f fault) objstore.Opener {
	return func(ctx context.Context, url string) (objstore.Bucket, string, error) {
		b, key, err := open(ctx, url)
		return faultyBucket{Bucket: b, fault: f}, key, err
	}
}

func (b faultyBucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := b.fault(ctx, "get", key); err != nil {
		return nil, err
	}
	return b.Bucket.Get(ctx, key, offset, length)
}

func (b faultyBucket) GetVersion(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, error) {
	if err := b.fault(ctx, "get", key); err != nil {
		return nil, err
	}
	return b.Bucket.GetVersion(ctx, key, etag, offset, length)
}

func (b faultyBucket) Stat(ctx context.Context, key string) (objstore.Object, error) {
	if err := b.fault(ctx, "stat", key); err != nil {
		return objstore.Object{}, err
	}
	return b.Bucket.Stat(ctx, key)
}

func (b faultyBucket) Put(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	if err := b.fault(ctx, "put", key); err != nil {
		return objstore.Object{}, err
	}
	return b.Bucket.Put(ctx, key, data)
}

func (b faultyBucket) PutIfAbsent(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	if err := b.fault(ctx, "put", key); err != nil {
		return objstore.Object{}, err
	}
	return b.Bucket.PutIfAbsent(ctx, key, data)
}

func (b faultyBucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	if err := b.fault(ctx, "create", key); err != nil {
		return nil, err
	}
	return b.Bucket.Create(ctx, key)
}

func (b faultyBucket) Uploads(ctx context.Context, prefix string) iter.Seq2[objstore.Upload, error] {
	if err := b.fault(ctx, "uploads", prefix); err != nil {
		return func(yield func(objstore.Upload, error) bool) { yield(objstore.Upload{}, err) }
	}
	return b.Bucket.Uploads(ctx, prefix)
}

func (b faultyBucket) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	if err := b.fault(ctx, "complete", u.Key); err != nil {
		return objstore.Object{}, err
	}
	return b.Bucket.Complete(ctx, u)
}

// sight is a hook of a Redis client: it closes seen before a command is sent for the first time.
type sight struct {
	command string
	once    sync.Once
	seen    chan struct{}
}

func newSight(command string) *sight { return &sight{command: command, seen: make(chan struct{})} }

func (s *sight) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *sight) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s *sight) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == s.command {
			s.once.Do(func() { close(s.seen) })
		}
		return next(ctx, cmd)
	}
}

// commits is a hook of a Redis client that has commits of attempts fail.
type commits struct {
	before, after func() error // either may be nil
}

func (commits) DialHook(next redis.DialHook) redis.DialHook { return next }

func (commits) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c commits) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		// A script that Redis does not know yet is sent a second time, by EVAL: this is the same
		// commit. No other script gets counters.
		if cmd.Name() == "eval" || !slices.ContainsFunc(cmd.Args(), func(arg any) bool { return arg == "map_input_records" || arg == "output_records" }) {
			return next(ctx, cmd)
		}
		if c.before != nil {
			if err := c.before(); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		err := next(ctx, cmd)
		if err == nil && c.after != nil {
			if err = c.after(); err != nil {
				cmd.SetErr(err)
			}
		}
		return err
	}
}

// network is a connection to Redis that can be cut.
type network struct {
	cut atomic.Bool
}

func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if n.cut.Load() {
		return nil, errCut
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	return cutConn{conn, n}, err
}

var errCut = &net.OpError{Op: "read", Err: net.ErrClosed}

type cutConn struct {
	net.Conn
	network *network
}

func (c cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.network.cut.Load() {
		return 0, errCut
	}
	return n, err
}

func (c cutConn) Write(p []byte) (int, error) {
	if c.network.cut.Load() {
		return 0, errCut
	}
	return c.Conn.Write(p)
}
