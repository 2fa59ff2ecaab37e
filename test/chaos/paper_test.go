package chaos

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/minio-go/v7"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/test/chaos/proxy"
)

// The paper's sort (Dean and Ghemawat, MapReduce, OSDI 2004, 5.3 to 5.5) at our size. The network
// simulates machines: each executor has so little bandwidth that the cores of one computer suffice
// for all, and the slowest connection to the store decides how long a run takes.
var (
	paperBytes = flag.Int("paper-bytes", 128<<20, "size of the input of TestPaper")
	paperRate  = flag.Int64("paper-rate", 4<<20, "bytes per second, in each direction, of an executor's way to the store")
)

const (
	paperExecutors = 9
	paperSplit     = 4 << 20
	paperReducers  = 3 * paperExecutors
	recordSize     = 100 // bytes, with the line end
	slowdown       = 10  // of the slow executor
)

// paperRun is one variant of the sort.
type paperRun struct {
	name     string
	slow     bool // one executor is slow
	noBackup bool
	killed   bool // one executor in nine is killed midway, and restarts, as in the paper
}

// TestPaper runs all variants of the sort, and prints how long each took.
func TestPaper(t *testing.T) {
	runs := []paperRun{
		{name: "normal"},
		{name: "one slow executor, no backup attempts", slow: true, noBackup: true},
		{name: "one slow executor, backup attempts", slow: true},
		{name: "11% of the executors killed in mid-run", killed: true},
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "sort of %d MiB on %d executors of %d MiB/s\tmaps done\ttotal\tto normal\tattempts failed or given away\n",
		*paperBytes>>20, paperExecutors, *paperRate>>20)
	var normal time.Duration
	for _, run := range runs {
		t.Run(run.name, func(t *testing.T) {
			job := run.play(t)
			total := job.Times.Ended.Sub(job.Times.Submitted.Time)
			if normal == 0 {
				normal = total
			}
			fmt.Fprintf(w, "%s\t%.1fs\t%.1fs\t%+.0f%%\t%d\n", run.name, job.Times.MapsDone.Sub(job.Times.Submitted.Time).Seconds(),
				total.Seconds(), 100*(total.Seconds()/normal.Seconds()-1), job.Progress.Map.Failed+job.Progress.Reduce.Failed)
		})
	}
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
}

// play runs one variant on a new cluster and checks the output.
func (run paperRun) play(t *testing.T) api.Job {
	c := newCluster(t, 1)
	var controllerArgs []string
	if run.noBackup {
		controllerArgs = append(controllerArgs, "--no-backup")
	}
	c.begin(settings{
		controllers: 1, controllerArgs: controllerArgs,
		executors: paperExecutors, executorArgs: []string{"--slots", "1", "--memory", "64MiB"},
	})
	input := c.uploadRecords(*paperBytes / recordSize)
	for i, e := range c.executors {
		rate := *paperRate
		if run.slow && i == 0 {
			rate /= slowdown
		}
		e.store.Set(proxy.Conditions{Rate: rate})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	reducers := paperReducers
	id, err := c.submit(ctx, &testJob{spec: job.Spec{
		Name: run.name, Program: "sort", Input: job.Inputs("s3://" + inputBucket + "/"), Output: "s3://" + outputBucket + "/sorted",
		SplitSize: paperSplit, Reducers: &reducers,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if run.killed {
		c.killMidway(ctx, id)
	}
	j, err := c.await(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if j.State != job.Completed {
		t.Fatalf("it is %s: %+v", j.State, j.Error)
	}
	if got, err := c.sortedRecords(ctx, reducers); err != nil || got != input {
		t.Errorf("the output is %+v, the input %+v; %v", got, input, err)
	}
	return j
}

// killMidway kills an executor once half of the maps are done, and starts it again at once.
func (c *cluster) killMidway(ctx context.Context, id job.ID) {
	c.t.Helper()
	err := until(ctx, func(ctx context.Context) error {
		var job api.Job
		err := c.ask(ctx, func(ctx context.Context, api *client.Client) (err error) {
			job, err = api.Job(ctx, id)
			return err
		})
		if err == nil && (job.Progress.Map.Total == 0 || 2*job.Progress.Map.Done < job.Progress.Map.Total) {
			err = errors.New("not yet")
		}
		return err
	})
	if err == nil {
		err = errors.Join(c.executors[1].stop(syscall.SIGKILL, 10*time.Second), c.executors[1].start())
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// digest distinguishes multisets of lines.
type digest struct {
	lines int
	sum   uint64 // of the lines' hashes
}

func (d *digest) add(line []byte) {
	d.lines++
	d.sum += xxhash.Sum64(line)
}

// uploadRecords creates an input of random lines, without the proxies.
func (c *cluster) uploadRecords(records int) (d digest) {
	c.t.Helper()
	random := rand.New(rand.NewPCG(c.seed, 0))
	data := make([]byte, 0, records*recordSize)
	for range records {
		begin := len(data)
		for range recordSize - 1 {
			data = append(data, ' '+byte(random.Uint32()>>16%95))
		}
		d.add(data[begin:])
		data = append(data, '\n')
	}
	_, err := c.s3.PutObject(c.t.Context(), inputBucket, "records", bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

// sortedRecords reads the parts of the output, which must be sorted.
func (c *cluster) sortedRecords(ctx context.Context, parts int) (d digest, err error) {
	for i := range parts {
		r, err := c.s3.GetObject(ctx, outputBucket, "sorted/"+layout.PartName(i), minio.GetObjectOptions{})
		if err != nil {
			return d, err
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return d, err
		}
		var last []byte
		for _, line := range linesOf(data) {
			if bytes.Compare(last, line) > 0 {
				return d, fmt.Errorf("part %d has %q after %q", i, line, last)
			}
			d.add(line)
			last = line
		}
	}
	return d, nil
}
