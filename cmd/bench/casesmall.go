package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

var grepCase = benchmark{
	name:  "grep",
	about: "a rare word in the 500 MB of text, which the system has in its cache",
	prepare: func(ctx context.Context, b *bench) ([]contender, error) {
		file, counts, err := b.text(ctx, wordBytes)
		if err != nil {
			return nil, err
		}
		pattern := rareWord(counts)
		var want lineSum
		if err := eachLineOf([]string{file}, func(line []byte) error {
			if bytes.Contains(line, []byte(pattern)) {
				want.add(line)
			}
			return nil
		}); err != nil {
			return nil, err
		}
		return []contender{
			b.run("bucketmill run grep", func(folder string) error {
				files, err := parts(folder)
				if err != nil {
					return err
				}
				return want.checkSorted(files, false)
			}, "grep", "--input", file, "--param", "fixed=true", "--param", "pattern="+pattern),
			b.grepCount(want.lines, pattern, file),
		}, nil
	},
}

// rareWord returns the rarest of the long words; of several, the first in byte order.
func rareWord(counts wordCounts) (rare string) {
	const long = 8
	for word, n := range counts {
		if len(word) < long {
			continue
		}
		if rare == "" || n < counts[rare] || n == counts[rare] && word < rare {
			rare = word
		}
	}
	return rare
}

func (b *bench) grepCount(want int64, pattern, file string) contender {
	const name = "grep -c"
	if _, err := exec.LookPath("grep"); err != nil {
		return contender{name: name, absent: err.Error()}
	}
	return contender{name: name, attempt: func(ctx context.Context) (r result, err error) {
		text, u, err := b.output(ctx, command{name: "grep", args: []string{"-c", "-F", pattern, file}, env: []string{"LC_ALL=C"}})
		r.usage = u
		if err == nil && strings.TrimSpace(string(text)) != strconv.FormatInt(want, 10) {
			err = fmt.Errorf("%w: %s lines, but %d are right", errWrong, text, want)
		}
		return r, err
	}}
}

const emptyTasks = 10_000 // when full

var emptyCase = benchmark{
	name:  "empty",
	about: "10,000 map tasks that find nothing, 2 executors, a real Redis, folders in memory: what a task costs",
	prepare: func(ctx context.Context, b *bench) ([]contender, error) {
		redis, err := b.startRedis(ctx)
		if err != nil {
			return nil, err
		}
		folder, err := b.memoryFolder()
		if err != nil {
			return nil, err
		}
		tasks := int(b.scaled(emptyTasks, 10))
		input := folder + "/in"
		if err := os.WriteFile(input, bytes.Repeat([]byte("a line of 16 b.\n"), tasks), 0o600); err != nil {
			return nil, err
		}
		args := []string{
			"run", "grep", "--param", "fixed=true", "--param", "pattern=needle", "--input", input, "--output", folder + "/out", "--overwrite",
			"--maps", strconv.Itoa(tasks), "--reducers", "1", "--executors", "2", "--redis", redis.url, "--work", folder + "/work", "--scratch", folder + "/scratch",
		}
		return []contender{{name: "bucketmill run grep", attempt: func(ctx context.Context) (result, error) {
			r, err := redis.emptyJob(ctx, b, args, tasks)
			if err != nil {
				return r, err
			}
			files, err := parts(folder + "/out")
			if err != nil {
				return r, err
			}
			return r, lineSum{}.checkSorted(files, true)
		}}}, nil
	},
}

// emptyJob runs the job and computes the cost of a task.
func (r *redisServer) emptyJob(ctx context.Context, b *bench, args []string, tasks int) (result, error) {
	if err := r.resetCalls(ctx); err != nil {
		return result{}, err
	}
	text, u, err := b.output(ctx, command{name: b.bucketmill, args: args})
	if err != nil {
		return result{}, err
	}
	// Only the summary shows the number of tasks.
	if n := plural(tasks, "map task"); !bytes.Contains(text, []byte(n+",")) {
		return result{}, fmt.Errorf("%w: not %s in %s", errWrong, n, text)
	}
	scripts, all, err := r.calls(ctx)
	per := 1 / float64(tasks)
	return result{usage: u, figures: []figure{
		{name: "per task", value: float64(u.wall.Microseconds()) / 1000 * per, unit: "ms"},
		{name: "scripts per task", value: scripts * per},
		{name: "Redis commands per task, those in scripts too", value: all * per},
	}}, err
}

const (
	smallBytes = 1_000_000
	smallJobs  = 40 // in a run, when full
)

var smallCase = benchmark{
	name:  "latency",
	about: "word counts of 1 MB, one after the other, on an idle machine",
	prepare: func(ctx context.Context, b *bench) ([]contender, error) {
		file, err := b.generate(ctx, "text", textFile, smallBytes, "--vocabulary", words)
		if err != nil {
			return nil, err
		}
		want, err := countWords(file)
		if err != nil {
			return nil, err
		}
		c, err := b.startCluster(ctx, executorMemory)
		if err != nil {
			return nil, err
		}
		input, err := c.input(ctx, b, "text", smallBytes, "--vocabulary", words)
		if err != nil {
			return nil, err
		}
		jobs := int(b.scaled(smallJobs, 3))
		inProcess := b.run("", want.checkOutput, "wordcount", "--input", file)
		submitted := c.contender("", job.Spec{Program: "wordcount", Input: job.Inputs(input)}, func(r io.Reader) error { return want.checkReader(r) })
		return []contender{
			series("submit over HTTP, with Redis and MinIO, to COMPLETED", jobs, submitted.attempt),
			series("run, all in one process, from its start to its end", jobs, inProcess.attempt),
		}, nil
	},
}

// series returns the contender that does a small piece of work repeatedly.
func series(name string, times int, once func(ctx context.Context) (result, error)) contender {
	return contender{name: name, attempt: func(ctx context.Context) (result, error) {
		var total result
		for range times {
			r, err := once(ctx)
			if err != nil {
				return total, err
			}
			total.samples = append(total.samples, r.wall)
			total.cpu += r.cpu / time.Duration(times)
			total.peak = max(total.peak, r.peak)
		}
		if len(total.samples) == 0 {
			return total, errors.New("no job was run")
		}
		total.wall = percentile(total.samples, 0.5)
		return total, nil
	}}
}
