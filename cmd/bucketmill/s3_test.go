package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/test/testservices"
)

// cloud is a Redis and an S3 bucket for one test.
type cloud struct {
	t      *testing.T
	minio  *testservices.MinIOServer
	redis  *testservices.RedisServer
	client *minio.Client
	bucket string
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	s := testservices.MinIO(t)
	client, err := minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &cloud{t: t, minio: s, redis: testservices.NewRedis(t), client: client, bucket: s.Bucket(t)}
}

// start starts a job. BUCKET in the arguments means the bucket's URL.
func (c *cloud) start(driver string, args ...string) *serverProcess {
	c.t.Helper()
	args = append([]string{"run", "--s3-driver", driver, "--s3-endpoint", c.minio.Endpoint, "--redis", c.redis.URL}, args...)
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "BUCKET", "s3://"+c.bucket)
	}
	return startProcess(c.t, []string{
		"AWS_ACCESS_KEY_ID=" + c.minio.AccessKey, "AWS_SECRET_ACCESS_KEY=" + c.minio.SecretKey,
		"AWS_ENDPOINT_URL=", "AWS_PROFILE=",
	}, args...)
}

func (c *cloud) put(key, content string) {
	c.t.Helper()
	_, err := c.client.PutObject(c.t.Context(), c.bucket, key, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
}

// keys lists the bucket.
func (c *cloud) keys() (keys []string) {
	c.t.Helper()
	for o := range c.client.ListObjects(c.t.Context(), c.bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			c.t.Fatal(o.Err)
		}
		keys = append(keys, o.Key)
	}
	slices.Sort(keys)
	return keys
}

// download copies the objects below a prefix to a folder.
func (c *cloud) download(prefix string) string {
	c.t.Helper()
	folder := c.t.TempDir()
	for _, key := range c.keys() {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		o, err := c.client.GetObject(c.t.Context(), c.bucket, key, minio.GetObjectOptions{})
		if err != nil {
			c.t.Fatal(err)
		}
		data, err := io.ReadAll(o)
		if err != nil {
			c.t.Fatal(err)
		}
		writeFile(c.t, filepath.Join(folder, name), string(data))
	}
	return folder
}

// checkLeft checks that the bucket contains these objects, and no unfinished uploads of parts of
// the output out, and that Redis is empty.
func (c *cloud) checkLeft(want []string, out string, parts int) {
	c.t.Helper()
	if keys := c.keys(); !slices.Equal(keys, want) {
		c.t.Errorf("the bucket has %q, not %q", keys, want)
	}
	for i := range parts { // MinIO lists uploads only by whole keys
		key := fmt.Sprintf("%s/part-%05d", out, i)
		for u := range c.client.ListIncompleteUploads(c.t.Context(), c.bucket, key, true) {
			c.t.Errorf("unfinished upload of %s, %v", u.Key, u.Err)
		}
	}
	rdb := redis.NewClient(&redis.Options{Addr: c.redis.Addr})
	defer rdb.Close()
	keys, err := rdb.Keys(context.WithoutCancel(c.t.Context()), "*").Result()
	if err != nil || len(keys) > 0 {
		c.t.Errorf("redis has %q, %v", keys, err)
	}
}

func TestS3(t *testing.T) {
	t.Parallel()
	files := oddFiles(t)
	for _, driver := range []string{"minio", "s3"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			var inputs []string
			for name, content := range files {
				c.put("in/"+name, content)
				inputs = append(inputs, "in/"+name)
			}
			slices.Sort(inputs)

			t.Run("completes", func(t *testing.T) {
				p := c.start(driver, "wordcount", "-i", "BUCKET/in/", "-o", "BUCKET/out", "-r", "3", "--split-size", "64KiB", "--executors", "2")
				if code := p.wait(patience).ExitCode(); code != exitDone {
					t.Fatalf("exit code %d\n%s", code, p.stderr.String())
				}
				sameLines(t, joined(checkOutput(t, c.download("out/"))), countWords(files))
				c.checkLeft(append(slices.Clone(inputs), "out/_SUCCESS", "out/part-00000", "out/part-00001", "out/part-00002"), "out", 3)
			})
			before := c.keys()
			t.Run("map only, fewer parts", func(t *testing.T) {
				p := c.start(driver, "sort", "-i", "BUCKET/in/books/deep/**", "-o", "BUCKET/out/", "-r", "0", "--overwrite")
				if code := p.wait(patience).ExitCode(); code != exitDone {
					t.Fatalf("exit code %d\n%s", code, p.stderr.String())
				}
				before = append(slices.Clone(inputs), "out/_SUCCESS", "out/part-00000")
				c.checkLeft(before, "out", 3)
				if got := checkOutput(t, c.download("out/")); !bytes.Equal(got[0].data, []byte("alpha nested\n")) {
					t.Errorf("got %q", got[0].data)
				}
			})
			for name, m := range s3Mistakes(t) {
				t.Run(name, func(t *testing.T) {
					p := c.start(driver, m.args...)
					if code := p.wait(patience).ExitCode(); code != m.code {
						t.Errorf("exit code %d", code)
					}
					checkComplaint(t, result{stdout: p.stdout.String(), stderr: p.stderr.String()}, m.stderr)
					c.checkLeft(before, "new", 2)
					checkEmpty(t, p.temp)
				})
			}
			for _, where := range []string{"map_fn", "reduce_fn"} {
				t.Run("interrupted in "+where, func(t *testing.T) {
					folder := t.TempDir()
					pids, program := filepath.Join(folder, "pids"), filepath.Join(folder, "stuck.py")
					writeFile(t, program, fmt.Sprintf(stuckProgram, where, pids))
					p := c.start(driver, program, "-i", "BUCKET/in/books/deep/", "-o", "BUCKET/new", "-r", "2")
					running := readPIDs(t, pids, 2)
					p.signal(os.Interrupt)
					if code := p.wait(promptly).ExitCode(); code != exitInterrupted {
						t.Errorf("exit code %d\n%s", code, p.stderr.String())
					}
					checkGone(t, running)
					c.checkLeft(before, "new", 2)
					checkEmpty(t, p.temp)
				})
			}
		})
	}
}

// s3Mistakes are command lines that can't succeed, with their errors.
func s3Mistakes(t *testing.T) map[string]mistake {
	program := filepath.Join(t.TempDir(), "fails.py")
	writeFile(t, program, strings.Replace(pythonWordCount, "yield (key, sum(values))", "raise ValueError(key)", 1))
	const in = "BUCKET/in/books/deep/"
	return map[string]mistake{
		"missing object":        {args: []string{"wordcount", "-i", "BUCKET/nope", "-o", "BUCKET/new"}, code: 1, stderr: `s3://.*/nope: no such object`},
		"glob without match":    {args: []string{"wordcount", "-i", "BUCKET/in/*.zip", "-o", "BUCKET/new"}, code: 1, stderr: `/in/\*\.zip: no object and no folder matches the glob`},
		"missing input bucket":  {args: []string{"wordcount", "-i", "s3://no-such-bucket/x", "-o", "BUCKET/new"}, code: 1, stderr: `s3://no-such-bucket/x: `},
		"missing output bucket": {args: []string{"wordcount", "-i", in, "-o", "s3://no-such-bucket/x"}, code: 1, stderr: `output s3://no-such-bucket/x: .*no such`},
		"existing output":       {args: []string{"wordcount", "-i", in, "-o", "BUCKET/out"}, code: 1, stderr: `/out: is not empty`},
		"output in an input":    {args: []string{"wordcount", "-i", "BUCKET/in", "-o", "BUCKET/in/new", "--overwrite"}, code: 2, stderr: `/in/new is in the input s3://.*/in: `},
		"output found by glob":  {args: []string{"wordcount", "-i", "BUCKET/*", "-o", "BUCKET/new", "--overwrite"}, code: 2, stderr: `/new has parts that match the input s3://.*/\*: `},
		"output holds a match":  {args: []string{"wordcount", "-i", "BUCKET/*/part-00000", "-i", "BUCKET/o*", "-o", "BUCKET/out", "--overwrite"}, code: 2, stderr: `/out has parts that match`},
		"failing program":       {args: []string{program, "-i", in, "-o", "BUCKET/new", "--max-attempts", "1"}, code: 1, stderr: `ValueError`},
	}
}

func TestS3RefusesCredentials(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.put("in.txt", "a\n")
	for _, driver := range []string{"minio", "s3"} {
		p := startProcess(t, []string{"AWS_ACCESS_KEY_ID=" + c.minio.AccessKey, "AWS_SECRET_ACCESS_KEY=wrong"},
			"run", "wordcount", "--s3-driver", driver, "--s3-endpoint", c.minio.Endpoint,
			"-i", "s3://"+c.bucket+"/in.txt", "-o", t.TempDir()+"/out")
		if code := p.wait(patience).ExitCode(); code != exitFailed {
			t.Errorf("exit code %d", code)
		}
		checkComplaint(t, result{stdout: p.stdout.String(), stderr: p.stderr.String()}, `/in.txt: .*access denied`)
		checkEmpty(t, p.temp)
	}
}
