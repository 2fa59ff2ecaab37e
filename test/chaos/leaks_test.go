package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
)

// settleTime is how long after the last fault leftovers may exist.
const settleTime = 60 * time.Second

// leaks waits until nothing of the jobs is left, and returns what stays: first while the services
// run, then, after they have stopped, in their scratch folders.
func (c *cluster) leaks(ctx context.Context) []string {
	var left []string
	settling, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	err := until(settling, func(ctx context.Context) error {
		now, err := c.remains(ctx)
		if err != nil {
			return err
		}
		if left = now; len(left) > 0 {
			return errors.New("something is left")
		}
		return nil
	})
	if err != nil && len(left) == 0 {
		left = append(left, fmt.Sprintf("can't look for what is left: %v", err))
	}
	left = append(left, c.swollen(ctx)...)
	return append(left, c.stopAll()...)
}

// remains looks once for leftovers of jobs.
func (c *cluster) remains(ctx context.Context) ([]string, error) {
	keys, err := c.keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	objects, err := c.workObjects(ctx)
	if err != nil {
		return nil, fmt.Errorf("list objects: %w", err)
	}
	return slices.Concat(c.guests(), keys, objects, c.uploads()), nil
}

// guests finds processes that run in a scratch folder: their environment names the folder.
func (c *cluster) guests() []string {
	var found []string
	environments, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is good
	for _, path := range environments {
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte("HOME="+c.folder)) {
			continue // ended, or not ours
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err == nil && len(command) > 0 { // a zombie has no command line
			found = append(found, fmt.Sprintf("process %s: %q", filepath.Base(filepath.Dir(path)), command))
		}
	}
	return found
}

// lasting are the keys that outlive jobs: histories, reports of the services, and the jobs of each
// caller, which are removed when the caller submits more.
var lasting = regexp.MustCompile(`^bm:(jobs|wake|control|news|alive|executors|executor:\{.*\}|reporter|by:.*|\{[^}]*\}(:counters|:errors|:events)?)$`)

func (c *cluster) keys(ctx context.Context) ([]string, error) {
	var found []string
	for scan := c.rdb.Scan(ctx, 0, "*", 1000).Iterator(); ; {
		if !scan.Next(ctx) {
			return found, errors.Join(scan.Err(), ctx.Err())
		}
		if !lasting.MatchString(scan.Val()) {
			found = append(found, "key "+scan.Val())
		}
	}
}

// workObjects finds objects of jobs on the work store, except logs.
func (c *cluster) workObjects(ctx context.Context) ([]string, error) {
	var found []string
	for o := range c.s3.ListObjectsIter(ctx, workBucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			return nil, o.Err
		}
		if !strings.HasPrefix(o.Key, workPrefix+"/logs/") {
			found = append(found, "object "+workBucket+"/"+o.Key)
		}
	}
	return found, ctx.Err() // which ends the listing, too
}

// uploads finds unfinished uploads on the disk of MinIO, which does not list all of them.
func (c *cluster) uploads() []string {
	var found []string
	folder := filepath.Join(c.minio.Drive(), ".minio.sys", "multipart")
	_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "xl.meta" { // folders may vanish during the search
			found = append(found, "upload "+strings.TrimPrefix(path, folder))
		}
		return nil
	})
	return found
}

// Limits for an idle service: ten times its normal use, and a fraction of what it would use if it
// leaked some at every fault.
const (
	maxGoroutines = 150
	maxOpenFiles  = 150
)

// swollen finds services with more goroutines or open files than an idle service should have.
func (c *cluster) swollen(ctx context.Context) []string {
	var found []string
	for _, s := range c.services() {
		var goroutines, files int
		err := until(ctx, func(ctx context.Context) (err error) {
			goroutines, files, err = s.resources(ctx)
			return err
		})
		if err != nil {
			found = append(found, fmt.Sprintf("%s does not tell its metrics: %v", s.name, err))
		}
		c.logf("%s has %d goroutines and %d open files, in life %d", s.name, goroutines, files, s.lives)
		if goroutines > maxGoroutines || files > maxOpenFiles {
			found = append(found, fmt.Sprintf("%s has %d goroutines and %d open files", s.name, goroutines, files))
		}
	}
	return found
}

var metric = regexp.MustCompile(`(?m)^(go_goroutines|process_open_fds) (\d+)$`)

// resources reads a service's metrics.
func (s *service) resources(ctx context.Context) (goroutines, files int, err error) {
	text, err := s.get(ctx, "/metrics")
	if err != nil {
		return 0, 0, err
	}
	values := map[string]int{}
	for _, m := range metric.FindAllSubmatch(text, -1) {
		if values[string(m[1])], err = strconv.Atoi(string(m[2])); err != nil {
			return 0, 0, err
		}
	}
	if len(values) != 2 {
		return 0, 0, fmt.Errorf("%s reports %v", s.name, values)
	}
	return values["go_goroutines"], values["process_open_fds"], nil
}

// stopAll stops every service in good order, and returns what is left in their scratch folders.
func (c *cluster) stopAll() []string {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	var found []string
	for _, s := range c.services() {
		if err := s.stop(syscall.SIGTERM, 20*time.Second); err != nil {
			found = append(found, err.Error())
		}
		if s.scratch == "" {
			continue
		}
		entries, err := os.ReadDir(s.scratch)
		if err != nil {
			found = append(found, err.Error())
		}
		for _, entry := range entries {
			found = append(found, "file "+filepath.Join(s.scratch, entry.Name()))
		}
	}
	return found
}
