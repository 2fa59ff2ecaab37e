// Baseline is what people would write by hand for one machine. Bucketmill is compared with it.
//
//	baseline wordcount FILE             two goroutines with a map each; prints word, tab, count
//	baseline read ENDPOINT BUCKET KEY   two connections that read an object by ranges
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/errgroup"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "baseline: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "wordcount":
		return wordCount(args[1])
	case len(args) == 4 && args[0] == "read":
		return read(ctx, args[1], args[2], args[3])
	}
	return fmt.Errorf("unknown command %q: use wordcount FILE or read ENDPOINT BUCKET KEY", args)
}

// workers is the number of goroutines or connections.
const workers = 2

// wordCount counts the words of a file. Each goroutine reads its half.
func wordCount(name string) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var (
		g      errgroup.Group
		counts [workers]map[string]*int64
	)
	for i := range counts {
		counts[i] = map[string]*int64{}
		g.Go(func() error {
			return countPart(f, info.Size()*int64(i)/workers, info.Size()*int64(i+1)/workers, counts[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	total := counts[0]
	for word, n := range counts[1] {
		if have := total[word]; have != nil {
			*have += *n
		} else {
			total[word] = n
		}
	}
	return write(total)
}

// countPart counts the words that begin between two bytes of a file.
func countPart(f *os.File, from, to int64, counts map[string]*int64) error {
	at := from
	if from > 0 {
		at-- // the byte before shows whether a word begins at from
	}
	const block = 1 << 20
	buf := make([]byte, 0, 2*block)
	skip := from > 0
	for {
		n, err := f.ReadAt(buf[len(buf):len(buf)+block], at)
		at += int64(n)
		buf = buf[:len(buf)+n]
		if err != nil && err != io.EOF {
			return err
		}
		start := at - int64(len(buf)) // of buf in the file
		i := 0
		for {
			if !skip {
				for i < len(buf) && space(buf[i]) {
					i++
				}
			}
			if start+int64(i) >= to && !skip {
				return nil
			}
			end := i
			for end < len(buf) && !space(buf[end]) {
				end++
			}
			if end == len(buf) && err == nil {
				break // the word may continue in the next block
			}
			if end > i && !skip {
				add(counts, buf[i:end])
			}
			skip = false
			if end == len(buf) {
				return nil
			}
			i = end + 1
		}
		if len(buf)-i > block {
			return fmt.Errorf("a word has more than %d bytes", block)
		}
		buf = buf[:copy(buf[:cap(buf)], buf[i:])]
	}
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func add(counts map[string]*int64, word []byte) {
	n := counts[string(word)]
	if n == nil {
		n = new(int64)
		counts[string(word)] = n
	}
	*n++
}

// write prints the counts, sorted by word.
func write(counts map[string]*int64) error {
	words := make([]string, 0, len(counts))
	for word := range counts {
		words = append(words, word)
	}
	slices.Sort(words)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	for _, word := range words {
		if _, err := fmt.Fprintf(out, "%s\t%d\n", word, *counts[word]); err != nil {
			return err
		}
	}
	return out.Flush()
}

// read reads an object by ranges, and prints its numbers of bytes and line ends.
func read(ctx context.Context, endpoint, bucket, key string) error {
	client, err := minio.New(strings.TrimPrefix(endpoint, "http://"), &minio.Options{Creds: credentials.NewEnvAWS(), Region: "us-east-1"})
	if err != nil {
		return err
	}
	info, err := client.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return err
	}
	const length = 8 << 20
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	var bytesRead, lines [workers]int64
	for i := range workers {
		g.Go(func() error {
			buf := make([]byte, length)
			for from := int64(i) * length; from < info.Size; from += workers * length {
				n, err := readRange(ctx, client, bucket, key, from, min(from+length, info.Size), buf)
				if err != nil {
					return err
				}
				bytesRead[i] += int64(n)
				lines[i] += int64(bytes.Count(buf[:n], []byte("\n")))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	_, err = fmt.Println(bytesRead[0]+bytesRead[1], lines[0]+lines[1])
	return err
}

func readRange(ctx context.Context, client *minio.Client, bucket, key string, from, to int64, buf []byte) (n int, err error) {
	var o minio.GetObjectOptions
	if err := o.SetRange(from, to-1); err != nil {
		return 0, err
	}
	body, _, _, err := (&minio.Core{Client: client}).GetObject(ctx, bucket, key, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	return io.ReadFull(body, buf[:to-from])
}
