package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Config is what a Server needs. Fields without a default are required unless they say what
// their zero means.
type Config struct {
	Store *state.Store    // control state: what requests change, and what runs now
	Jobs  Jobs            // where jobs are read; default Store
	Open  objstore.Opener // for inputs, outputs, objects and the work store
	Work  string          // URL of the work store, as the controllers and executors have it
	Log   *slog.Logger

	// Allow lists the URLs of buckets, folders or objects that jobs and requests may name, with
	// everything below them; empty means every s3 URL. AllowFiles also admits file URLs, which
	// are this machine's files: for development only.
	Allow      []string
	AllowFiles bool

	// Tokens admit their holders. Nil: no token is needed, and everybody may do everything. A list
	// that is not nil but empty is an error.
	Tokens []Token
	// Hosts are the names under which clients reach the server, besides localhost and IP addresses.
	// Without tokens, requests for other names are refused: a page in somebody's browser may have
	// made its own name lead here.
	Hosts []string

	MaxSpec    int64 // bytes of a job spec; default job.MaxSpec, which also limits a spec once it is read
	MaxProgram int64 // bytes of a program, with all its files; default 256 MiB
	MaxUpload  int64 // bytes of an uploaded object; default 5 TiB, what S3 can hold

	// MaxJobs is how many jobs of one caller may be active: not completed, failed or cancelled. 0
	// sets no limit.
	MaxJobs int
	// MaxPriority is the highest priority that a caller with the role submit may give a job; an
	// admin may give any. Nil sets no limit.
	MaxPriority *int
	// MaxStreams is how many event streams one caller may have at a time; default 1000.
	MaxStreams int

	// Uploads is how many programs and objects are received at a time; default 32. Further
	// uploads are refused for now.
	Uploads int
	// Rate is how many requests per second one client address may make in the long run, and
	// Burst how many at once. A Rate of 0 sets no limit; Burst is 2*Rate by default.
	Rate  float64
	Burst int
	// BodyGrace is how long the server waits for a request's body in total, beyond the time that
	// its bytes take at BodyRate; default 20s. BodyRate is in bytes per second; default 1 KiB.
	BodyGrace time.Duration
	BodyRate  int64
	// AnswerGrace is how long a piece of an answer may wait for its client to read; default 1m.
	AnswerGrace time.Duration
	// Heartbeat is the time between two signs of life on a silent event stream; default 15s.
	Heartbeat time.Duration

	// Kinds are the kinds of programs that jobs may have. Programs of all other kinds are refused.
	Kinds job.Kinds
	// Submit creates a job of that id for a caller, and reports whether this call made it; false if
	// the job was there, with the same spec. Nil: the route answers 501.
	Submit func(ctx context.Context, by string, id job.ID, spec job.Spec) (created bool, err error)
	// Retry starts a failed job again. It fails with state.ErrIllegal if the job can't be retried,
	// and with job.ErrOutputNotFree if its output can't be written to now. Nil: the route answers
	// 501.
	Retry func(ctx context.Context, id job.ID) error
	// Delete removes the history of a job. It fails with state.ErrIllegal if the job has not ended.
	// Nil: the route answers 501.
	Delete func(ctx context.Context, id job.ID) error
	// Restoring reports whether Redis has lost its data, and jobs that it does not know are about
	// to be restored: then the server does not answer that there is no such job. Nil: that never
	// happens.
	Restoring func(ctx context.Context) (bool, error)
	// Returns is how long the event stream of a lost job waits until the job is restored; default
	// 1m.
	Returns time.Duration
	// Presign makes a URL with which anyone may do one request (GET or PUT) to an object until
	// the URL expires. Nil: routes that make links answer 501.
	Presign func(ctx context.Context, method, url string, expires time.Duration) (string, error)
	// EnsureBucket creates the bucket of a URL unless it exists. Nil: the route answers 501.
	EnsureBucket func(ctx context.Context, url string) error
	// Buckets returns the names of the store's buckets. Nil: the route answers 501.
	Buckets func(ctx context.Context) ([]string, error)
	// Metrics is what GET /metrics shows besides the API's own metrics; nil: nothing.
	Metrics *prometheus.Registry
	// Reports reports whether GET /metrics shows the state of the whole cluster. Only one of
	// several servers should, or sums over all of them count everything several times. Nil: always.
	Reports func() bool
	// Ready returns nil if Redis and the store answer; nil: only Redis is asked.
	Ready func(ctx context.Context) error
	// Version is shown in metrics and in the API's description.
	Version string
}

// The defaults of a Config.
const (
	DefaultMaxSpec     = job.MaxSpec
	DefaultMaxStreams  = 1000
	DefaultMaxProgram  = 256 << 20
	DefaultMaxUpload   = 5 << 40
	DefaultUploads     = 32
	DefaultBodyGrace   = 20 * time.Second
	DefaultBodyRate    = 1 << 10
	DefaultAnswerGrace = time.Minute
	DefaultHeartbeat   = 15 * time.Second
	DefaultReturns     = time.Minute
)

// withDefaults fills in the fields that are zero.
func (c Config) withDefaults() Config {
	if c.Jobs == nil && c.Store != nil {
		c.Jobs = c.Store
	}
	c.MaxSpec = cmp.Or(c.MaxSpec, DefaultMaxSpec)
	c.MaxProgram = cmp.Or(c.MaxProgram, DefaultMaxProgram)
	c.MaxUpload = cmp.Or(c.MaxUpload, DefaultMaxUpload)
	c.Uploads = cmp.Or(c.Uploads, DefaultUploads)
	c.MaxStreams = cmp.Or(c.MaxStreams, DefaultMaxStreams)
	c.BodyGrace = cmp.Or(c.BodyGrace, DefaultBodyGrace)
	c.BodyRate = cmp.Or(c.BodyRate, DefaultBodyRate)
	c.AnswerGrace = cmp.Or(c.AnswerGrace, DefaultAnswerGrace)
	c.Heartbeat = cmp.Or(c.Heartbeat, DefaultHeartbeat)
	c.Returns = cmp.Or(c.Returns, DefaultReturns)
	c.Burst = cmp.Or(c.Burst, max(1, int(2*c.Rate)))
	c.Version = cmp.Or(c.Version, "unknown")
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Reports == nil {
		c.Reports = func() bool { return true }
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Store == nil || c.Open == nil || c.Log == nil:
		return errors.New("store, opener and log are required")
	case c.MaxSpec < 0 || c.MaxProgram < 0 || c.MaxUpload < 0:
		return errors.New("a size limit is negative")
	case c.MaxJobs < 0 || c.MaxStreams < 0:
		return errors.New("a number of jobs or event streams is negative")
	case c.MaxPriority != nil && !job.ValidPriority(*c.MaxPriority):
		return fmt.Errorf("the highest priority is %d: it must be from -1000 to 1000", *c.MaxPriority)
	case c.Uploads < 0:
		return fmt.Errorf("%d uploads at a time: at least 1 is needed", c.Uploads)
	case c.Rate < 0 || c.Burst < 0:
		return fmt.Errorf("a rate of %g with bursts of %d: neither may be negative", c.Rate, c.Burst)
	case c.BodyGrace < 0 || c.BodyRate < 0 || c.AnswerGrace < 0 || c.Heartbeat < 0 || c.Returns < 0:
		return errors.New("a time or rate is negative")
	}
	return nil
}
