package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/test/chaos/proxy"
)

// A fault breaks something, and fixes it after a while.
type fault struct {
	kind   string
	target func(c *cluster) []string // the candidates; a broken target gets no second fault
	// do breaks the target and returns a function that fixes it; nil if there is nothing to fix.
	do          func(c *cluster, target string) (mend func() error, err error)
	least, most time.Duration // how long the target stays broken
}

const (
	redisTarget = "redis"
	minioTarget = "minio"
	diskTarget  = "disk"
)

func faults() []fault {
	all := []fault{
		{"kill", anyService, kill, 100 * time.Millisecond, 5 * time.Second},
		{"pause", anyService, pause, 500 * time.Millisecond, 2*lease + time.Second},
		{"restart-redis", always(redisTarget), killRedis, 50 * time.Millisecond, 3 * time.Second},
		{"restart-minio", always(minioTarget), killMinIO, 50 * time.Millisecond, 4 * time.Second},
	}
	for kind, is := range objectKinds {
		all = append(
			all,
			fault{"damage-" + kind, always(minioTarget), toObject((*cluster).damageObject, is), 0, 0},
			fault{"delete-" + kind, always(minioTarget), toObject((*cluster).deleteObject, is), 0, 0},
		)
	}
	for kind, conditions := range map[string]proxy.Conditions{
		"cut":     {Cut: true},
		"hold":    {Hold: true},
		"delay":   {Delay: 150 * time.Millisecond},
		"slow":    {Rate: 150 << 10},
		"corrupt": {Corrupt: corruptible},
	} {
		all = append(all, networkFault(kind, conditions))
	}
	if !*noTmpfs {
		all = append(all, fault{"fill-disk", always(diskTarget), fillDisk, time.Second, 6 * time.Second})
	}
	if *flushes {
		all = append(all, fault{"flush-redis", always(redisTarget), flushRedis, 0, 0})
	}
	slices.SortFunc(all, func(a, b fault) int { return strings.Compare(a.kind, b.kind) })
	return all
}

func always(name string) func(*cluster) []string {
	return func(*cluster) []string { return []string{name} }
}

func anyService(c *cluster) []string {
	var all []string
	for _, s := range c.services() {
		all = append(all, s.name)
	}
	return all
}

func (c *cluster) service(name string) *service {
	services := c.services()
	return services[slices.IndexFunc(services, func(s *service) bool { return s.name == name })]
}

func kill(c *cluster, target string) (func() error, error) {
	s := c.service(target)
	return s.start, s.stop(syscall.SIGKILL, 10*time.Second)
}

func pause(c *cluster, target string) (func() error, error) {
	s := c.service(target)
	s.signal(syscall.SIGSTOP) // the process may have ended
	return func() error { s.signal(syscall.SIGCONT); return nil }, nil
}

func killRedis(c *cluster, _ string) (func() error, error) {
	c.redis.Kill(c.t)
	return func() error { c.redis.Restart(c.t); return nil }, nil
}

func killMinIO(c *cluster, _ string) (func() error, error) {
	c.minio.Kill(c.t)
	return func() error { c.minio.Restart(c.t); return nil }, nil
}

func flushRedis(c *cluster, _ string) (func() error, error) {
	return nil, c.rdb.FlushAll(c.t.Context()).Err()
}

// networkFault changes the conditions between a service and Redis or the store. Bytes are flipped
// only between a service and the store.
func networkFault(kind string, conditions proxy.Conditions) fault {
	targets := func(c *cluster) []string {
		var all []string
		for _, s := range c.services() {
			all = append(all, s.name+">minio")
			if conditions.Corrupt == nil {
				all = append(all, s.name+">redis")
			}
		}
		return all
	}
	do := func(c *cluster, target string) (func() error, error) {
		name, to, _ := strings.Cut(target, ">")
		way := c.service(name).store
		if to == redisTarget {
			way = c.service(name).redis
		}
		way.Set(conditions)
		return func() error { way.Set(proxy.Conditions{}); return nil }, nil
	}
	return fault{kind, targets, do, 300 * time.Millisecond, 6 * time.Second}
}

// corruptible selects exchanges to damage: one in three of those with a checksum, which are all
// uploads and all reads of segments.
func corruptible(method, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	return (method == "PUT" || method == "GET" && strings.HasSuffix(path, ".seg")) && rand.IntN(3) == 0
}

// fillDisk fills the small disk completely.
func fillDisk(c *cluster, _ string) (func() error, error) {
	path := filepath.Join(c.disk, "ballast")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for piece := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(piece)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return nil, err
	}
	return func() error { return os.Remove(path) }, nil
}

// objectKinds are the kinds of objects on the work store, with patterns of their paths below the
// work prefix. Two kinds are missing: logs, on which nothing depends, and job.json, which is read
// only when Redis has lost its data: a job that has lost both is lost.
var objectKinds = map[string]func(path string) bool{
	"segment":  func(path string) bool { return strings.HasSuffix(path, ".seg") },
	"manifest": func(path string) bool { return strings.HasSuffix(path, ".manifest") },
	"bounds":   func(path string) bool { return strings.HasPrefix(filepath.Base(path), "bounds-") },
	"page":     func(path string) bool { return planPage.MatchString(path) },
	"plan":     func(path string) bool { return filepath.Base(path) == "plan.json" },
	"program":  func(path string) bool { return filepath.Base(filepath.Dir(path)) == "program" },
	"skipped":  func(path string) bool { return filepath.Base(filepath.Dir(path)) == "skipped" },
}

// toObject returns a fault of an object of a kind.
func toObject(befall func(c *cluster, is func(path string) bool) error, is func(path string) bool) func(*cluster, string) (func() error, error) {
	return func(c *cluster, _ string) (func() error, error) { return nil, befall(c, is) }
}

var planPage = regexp.MustCompile(`/plan-[^/]+/[0-9]+$`)

// objectFolders returns the folders in which MinIO keeps intermediates of a kind. Folders may
// vanish during the search.
func (c *cluster) objectFolders(kind func(path string) bool) []string {
	var all []string
	_ = filepath.WalkDir(filepath.Join(c.minio.Drive(), workBucket, workPrefix), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && kind(path) && isObject(path) {
			all = append(all, path)
		}
		return nil
	})
	return all
}

// isObject reports whether a folder of MinIO's is an object, and not a folder of folders.
func isObject(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "xl.meta"))
	return err == nil
}

// damageObject flips a byte of an object of a kind on the disk of MinIO.
func (c *cluster) damageObject(kind func(path string) bool) error {
	all := c.objectFolders(kind)
	if len(all) == 0 {
		return errNothing
	}
	folder := all[rand.IntN(len(all))]
	files, err := filepath.Glob(filepath.Join(folder, "*", "part.1"))
	if err != nil {
		return err
	}
	// A small object is at the end of the file that describes it.
	f, err := os.OpenFile(append(files, filepath.Join(folder, "xl.meta"))[0], os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return errNothing
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	at, b := info.Size()-1-rand.Int64N(min(64, info.Size())), []byte{0}
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 0x55
	if _, err = f.WriteAt(b, at); err == nil {
		c.noteLoss(folder)
	}
	return err
}

// noteLoss notes the job of a lost or damaged object if the job may fail without the object: a page
// of its plan, or its program.
func (c *cluster) noteLoss(folder string) {
	if !objectKinds["page"](folder) && !objectKinds["program"](folder) {
		return
	}
	_, rest, _ := strings.Cut(folder, "/jobs/")
	id, _, _ := strings.Cut(rest, "/")
	c.crippled.Store(job.ID(id), true)
}

// deleteObject deletes an intermediate, as an eager lifecycle rule of the bucket might.
func (c *cluster) deleteObject(kind func(path string) bool) error {
	all := c.objectFolders(kind)
	if len(all) == 0 {
		return errNothing
	}
	folder := all[rand.IntN(len(all))]
	c.noteLoss(folder)
	key := strings.TrimPrefix(folder, filepath.Join(c.minio.Drive(), workBucket)+"/")
	err := c.s3.RemoveObject(c.t.Context(), workBucket, key, minio.RemoveObjectOptions{})
	if minio.ToErrorResponse(err).StatusCode >= http.StatusInternalServerError {
		return errNothing // it is damaged already, and can't be deleted
	}
	return err
}

// errNothing reports that there was nothing to break.
var errNothing = errors.New("nothing is there")

// breaker injects faults until its context ends.
type breaker struct {
	c      *cluster
	random *rand.Rand

	mu      sync.Mutex
	busy    map[string]bool // guarded by mu, like the fields below: broken targets
	counts  map[string]int  // faults by kind
	running sync.WaitGroup
}

// run injects faults, up to three at a time, and returns when everything is fixed.
func (b *breaker) run(ctx context.Context) {
	kinds := faults()
	if *only != "" {
		kinds = slices.DeleteFunc(kinds, func(f fault) bool { return f.kind != *only })
	}
	for ctx.Err() == nil {
		f := kinds[b.random.IntN(len(kinds))]
		targets := f.target(b.c)
		target := targets[b.random.IntN(len(targets))]
		last := f.least + time.Duration(b.random.Int64N(int64(f.most-f.least)+1))
		rest := time.Duration(b.random.Int64N(int64(1500 * time.Millisecond)))
		if b.take(target) {
			b.running.Go(func() { b.inject(ctx, f, target, last) })
		}
		sleep(ctx, rest)
	}
	b.running.Wait()
}

// atOnce is how many targets are broken at a time.
const atOnce = 3

// take reserves a target. It returns false if the target is broken already, or enough others are.
func (b *breaker) take(target string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	name, _, _ := strings.Cut(target, ">")
	if len(b.busy) >= atOnce || b.busy[name] {
		return false
	}
	b.busy[name] = true
	return true
}

func (b *breaker) inject(ctx context.Context, f fault, target string, last time.Duration) {
	mend, err := f.do(b.c, target)
	switch {
	case errors.Is(err, errNothing):
	case err != nil:
		b.c.find("fault %s of %s: %v", f.kind, target, err)
	default:
		b.c.logf("fault %s of %s for %v", f.kind, target, last.Round(time.Millisecond))
	}
	if mend != nil {
		sleep(ctx, last)
		if err := mend(); err != nil {
			b.c.find("mend %s of %s: %v", f.kind, target, err)
		}
		b.c.logf("mended %s of %s", f.kind, target)
	}
	if err == nil {
		b.c.recovery.mended(fmt.Sprintf("%s of %s", f.kind, target), time.Now())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	name, _, _ := strings.Cut(target, ">")
	delete(b.busy, name)
	if err == nil {
		b.counts[f.kind]++
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// recoveries measures the time from the end of a fault to the next finished task.
type recoveries struct {
	mu      sync.Mutex
	pending map[string]time.Time // guarded by mu: the ends of faults
	slowest time.Duration        // guarded by mu
	after   string               // guarded by mu: the fault of slowest
}

func (r *recoveries) mended(what string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending[what] = at
}

// progress notes that a task is done.
func (r *recoveries) progress(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for what, since := range r.pending {
		if took := at.Sub(since); took > r.slowest {
			r.slowest, r.after = took, what
		}
		delete(r.pending, what)
	}
}
