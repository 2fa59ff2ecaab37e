package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/job"
)

const (
	wordBytes  = 500_000_000 // of text, when full
	words      = "200000"    // size of the vocabulary
	textFile   = "text-00000.txt"
	leastBytes = 200_000
)

var wordCountCase = benchmark{
	name:  "wordcount",
	about: "500 MB of Zipf text with 200,000 different words, on a folder",
	prepare: func(ctx context.Context, b *bench) ([]contender, error) {
		file, want, err := b.text(ctx, wordBytes)
		if err != nil {
			return nil, err
		}
		contenders := []contender{
			b.run("bucketmill run wordcount", want.checkOutput, "wordcount", "--input", file, "--memory", "256MiB"),
			b.run("bucketmill run wordcount-go: a program in Go", want.checkOutput, b.wordCount, "--input", file, "--memory", "256MiB"),
			b.prints(want, false, "Go by hand: 2 goroutines with a map each", b.baseline, "wordcount", file),
			b.prints(want, false, "awk", "awk", `{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) print w "\t" n[w] }`, file),
			b.prints(want, true, "tr | sort | uniq -c", "sh", "-c", `tr -s ' ' '\n' < "$0" | LC_ALL=C sort --parallel=2 -S 512M | uniq -c`, file),
		}
		for _, p := range b.peers {
			contenders = append(contenders, b.peerContender(p, want, file))
		}
		return contenders, nil
	},
}

// text makes Zipf text, and returns the counts of its words.
func (b *bench) text(ctx context.Context, full int64) (file string, want wordCounts, err error) {
	if file, err = b.generate(ctx, "text", textFile, b.scaled(full, leastBytes), "--vocabulary", words); err != nil {
		return "", nil, err
	}
	want, err = countWords(file)
	return file, want, err
}

// run returns the contender that runs a job with "bucketmill run".
func (b *bench) run(name string, check func(folder string) error, args ...string) contender {
	out := b.path("out")
	args = append([]string{"run"}, append(args, "--output", out, "--overwrite")...)
	return contender{name: name, attempt: func(ctx context.Context) (r result, err error) {
		if r.usage, err = b.measure(ctx, command{name: b.bucketmill, args: args}); err != nil {
			return r, err
		}
		return r, check(out)
	}}
}

// prints returns the contender that runs a program which prints words and their counts.
func (b *bench) prints(want wordCounts, swapped bool, name, program string, args ...string) contender {
	if _, err := exec.LookPath(program); err != nil {
		return contender{name: name, absent: err.Error()}
	}
	out := b.path("out.txt")
	return contender{name: name, attempt: func(ctx context.Context) (r result, err error) {
		if r.usage, err = b.measure(ctx, command{name: program, args: args, stdout: out}); err != nil {
			return r, err
		}
		return r, want.checkFiles([]string{out}, swapped)
	}}
}

// peer is a contender from the command line.
type peer struct{ name, command string }

func parsePeer(s string) (peer, error) {
	name, command, ok := strings.Cut(s, "=")
	if !ok || name == "" || !strings.Contains(command, "{input}") || !strings.Contains(command, "{output}") {
		return peer{}, fmt.Errorf("%q is not a valid peer: use NAME=COMMAND with {input} and {output}", s)
	}
	return peer{name, command}, nil
}

func (b *bench) peerContender(p peer, want wordCounts, file string) contender {
	out := b.path("peer.txt")
	script := strings.NewReplacer("{input}", `"$1"`, "{output}", `"$2"`).Replace(p.command)
	return contender{name: p.name, attempt: func(ctx context.Context) (r result, err error) {
		if err := os.RemoveAll(out); err != nil {
			return r, err
		}
		if r.usage, err = b.measure(ctx, command{name: "sh", args: []string{"-c", script, p.name, file, out}}); err != nil {
			return r, err
		}
		return r, want.checkFiles([]string{out}, false)
	}}
}

// executorMemory is the memory of an executor for buffers, in bytes.
const executorMemory = 256 << 20

var serviceCase = benchmark{
	name:  "services",
	about: "the same text through MinIO and Redis, by a controller and 2 executors",
	prepare: func(ctx context.Context, b *bench) ([]contender, error) {
		file, want, err := b.text(ctx, wordBytes)
		if err != nil {
			return nil, err
		}
		c, err := b.startCluster(ctx, executorMemory)
		if err != nil {
			return nil, err
		}
		input, err := c.input(ctx, b, "text", b.scaled(wordBytes, leastBytes), "--vocabulary", words)
		if err != nil {
			return nil, err
		}
		return []contender{
			c.contender("bucketmill submit wordcount", job.Spec{Program: "wordcount", Input: job.Inputs(input)}, func(r io.Reader) error { return want.checkReader(r) }),
			b.prints(want, false, "Go by hand, from a file", b.baseline, "wordcount", file),
			b.reader(c, file),
		}, nil
	},
}

// contender returns the contender that submits a job to the cluster and waits for its end.
func (c *cluster) contender(name string, spec job.Spec, compare func(io.Reader) error) contender {
	spec.Output, spec.Overwrite = "s3://"+outputBucket+"/out", true
	return contender{name: name, attempt: func(ctx context.Context) (r result, err error) {
		id, r, err := c.job(ctx, spec)
		if err != nil {
			return r, err
		}
		return r, c.check(ctx, id, compare)
	}}
}

// reader returns the contender that only reads the bytes from MinIO.
func (b *bench) reader(c *cluster, file string) contender {
	return contender{name: "ranged GETs alone: 2 connections", attempt: func(ctx context.Context) (r result, err error) {
		text, u, err := b.output(ctx, command{
			name: b.baseline, args: []string{"read", c.minio.endpoint, inputBucket, "text/" + textFile}, env: c.minio.env,
		})
		if err != nil {
			return r, err
		}
		r.usage = u
		info, err := os.Stat(file)
		if err == nil && !strings.HasPrefix(string(text), strconv.FormatInt(info.Size(), 10)+" ") {
			err = fmt.Errorf("%w: it read %s instead of %d bytes", errWrong, text, info.Size())
		}
		return r, err
	}}
}

const pythonBytes = 200_000_000 // of text, when full

//go:embed plain.py
var plainPython []byte

var pythonCase = benchmark{
	name:  "python",
	about: "200 MB of the text, by a Python job file",
	prepare: func(ctx context.Context, b *bench) ([]contender, error) {
		file, want, err := b.text(ctx, pythonBytes)
		if err != nil {
			return nil, err
		}
		script := b.path("plain.py")
		if err := os.WriteFile(script, plainPython, 0o600); err != nil {
			return nil, err
		}
		return []contender{
			b.run("bucketmill run word_count.py", want.checkOutput, b.repository+"/examples/word_count.py", "--input", file),
			b.prints(want, false, "plain Python: 2 processes with a dict each", "python3", script, file),
		}, nil
	},
}
