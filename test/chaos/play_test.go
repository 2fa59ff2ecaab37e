package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/job"
)

// jobTimeout is how long a job may take, in spite of all faults.
const jobTimeout = 3 * time.Minute

// verdict is the result of a job.
type verdict struct {
	job   *testJob
	id    job.ID
	state job.State
	took  time.Duration
	err   error // the mistake, if any
}

// errLate reports that a job took too long. On a busy machine this is not a mistake.
var errLate = fmt.Errorf("the job did not end within %v", jobTimeout)

// play runs a job, after the job whose output it overwrites, and checks the results.
func (c *cluster) play(ctx context.Context, j *testJob) []verdict {
	var verdicts []verdict
	var before output
	if first := j.first(); first != nil {
		v := c.playOne(ctx, first, nil)
		verdicts = append(verdicts, v)
		if v.err != nil {
			return verdicts
		}
		var err error
		if before, err = c.output(ctx, j.spec.Output); err != nil {
			return append(verdicts, verdict{job: j, err: err})
		}
	}
	return append(verdicts, c.playOne(ctx, j, before))
}

// playOne runs a job whose output already has the content of before.
func (c *cluster) playOne(ctx context.Context, j *testJob, before output) verdict {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	v := verdict{job: j}
	begun := time.Now()
	var ended api.Job
	v.id, v.err = c.submit(ctx, j)
	if v.err == nil {
		c.logf("job %s is %s", j.spec.Name, v.id)
		if j.cancel > 0 {
			v.err = c.cancelAfter(ctx, v.id, j.cancel)
		}
	}
	if v.err == nil {
		ended, v.err = c.await(ctx, v.id)
	}
	v.state, v.took = ended.State, time.Since(begun)
	if v.err == nil {
		v.err = c.compare(ctx, j, ended, before)
	}
	c.logf("job %s ended as %s after %v: %v", j.spec.Name, v.state, v.took.Round(time.Millisecond), v.err)
	if v.err != nil && ctx.Err() != nil && !errors.Is(v.err, errLate) {
		v.err = fmt.Errorf("%w: %w", errLate, v.err)
	}
	if v.err != nil {
		c.keepEvidence(ctx, j, v)
	}
	return v
}

// submit uploads the job's inputs, without the faults of the network, and submits the job.
func (c *cluster) submit(ctx context.Context, j *testJob) (job.ID, error) {
	for key, data := range j.inputs {
		err := until(ctx, func(ctx context.Context) error {
			_, err := c.s3.PutObject(ctx, inputBucket, key, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{})
			return err
		})
		if err != nil {
			return "", fmt.Errorf("upload input %s: %w", key, err)
		}
	}
	s := client.Submission{Spec: j.spec, Key: j.key(c.seed)}
	if j.program != "" {
		s.ProgramPath = filepath.Join(c.folder, fmt.Sprintf("program_%d.py", j.index))
		if err := os.WriteFile(s.ProgramPath, []byte(j.program), 0o600); err != nil {
			return "", err
		}
	}
	var answer api.Submitted
	err := c.ask(ctx, func(ctx context.Context, api *client.Client) (err error) {
		answer, err = api.Submit(ctx, s)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("submit: %w", err)
	}
	return answer.ID, nil
}

func (c *cluster) cancelAfter(ctx context.Context, id job.ID, after time.Duration) error {
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := c.ask(ctx, func(ctx context.Context, api *client.Client) error {
		_, err := api.Cancel(ctx, id)
		return err
	})
	var p *api.Problem
	if errors.As(err, &p) && p.Code == api.CodeJobEnded || *flushes && unknown(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	return nil
}

// forgotten is the state of a job that had ended when Redis was emptied. Its output shows how it
// ended.
const forgotten job.State = "forgotten"

// await waits until only the history of a job is left.
func (c *cluster) await(ctx context.Context, id job.ID) (j api.Job, err error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	done := -1
	for {
		err := c.ask(ctx, func(ctx context.Context, api *client.Client) (err error) {
			j, err = api.Job(ctx, id)
			return err
		})
		if *flushes && unknown(err) {
			return api.Job{ID: id, State: forgotten}, nil
		}
		if err != nil {
			return j, fmt.Errorf("ask for the job: %w", err)
		}
		if now := j.Progress.Map.Done + j.Progress.Reduce.Done; now != done {
			done = now
			c.recovery.progress(time.Now())
		}
		if j.Phase == job.PhaseEnded {
			return j, nil
		}
		select {
		case <-ctx.Done():
			return j, fmt.Errorf("%w: it is %s, in phase %s", errLate, j.State, j.Phase)
		case <-tick.C:
		}
	}
}

// compare checks a job's end and its output against the oracle.
func (c *cluster) compare(ctx context.Context, j *testJob, ended api.Job, before output) error {
	now, err := c.output(ctx, j.spec.Output)
	if err != nil {
		return err
	}
	untouched := unchanged(now, before)
	_, crippled := c.crippled.Load(ended.ID)
	switch {
	case ended.State == forgotten && crippled && untouched == nil:
		return nil // it has failed because of its loss
	case ended.State == job.Completed && !j.want.fails,
		ended.State == forgotten && !j.want.fails && (!j.want.mayCancel || untouched != nil):
		return j.want.check(now, ended.ID)
	case ended.State == job.Failed && j.want.fails, ended.State == job.Cancelled && j.want.mayCancel,
		ended.State == forgotten:
		return untouched
	}
	message := "no error"
	if ended.Error != nil {
		message = ended.Error.Message
	}
	if crippled && ended.State == job.Failed && saysWhatIsLost.MatchString(message) {
		return untouched
	}
	return fmt.Errorf("it is %s: %s", ended.State, message)
}

// saysWhatIsLost matches the errors of a job whose plan or program the store has lost.
var saysWhatIsLost = regexp.MustCompile(`^(read the plan|fetch the program)`)

func unchanged(now, before output) error {
	if len(now) != len(before) {
		return fmt.Errorf("its output holds %v, where there was %v", names(now), names(before))
	}
	for name, data := range before {
		if !bytes.Equal(now[name], data) {
			return fmt.Errorf("it changed %s", name)
		}
	}
	return nil
}

// output reads all objects below an output's URL, without the faults of the network.
func (c *cluster) output(ctx context.Context, url string) (output, error) {
	prefix := strings.TrimPrefix(url, "s3://"+outputBucket+"/") + "/"
	var all output
	err := until(ctx, func(ctx context.Context) error {
		all = output{}
		for o := range c.s3.ListObjectsIter(ctx, outputBucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
			if o.Err != nil {
				return o.Err
			}
			r, err := c.s3.GetObject(ctx, outputBucket, o.Key, minio.GetObjectOptions{})
			if err != nil {
				return err
			}
			data, err := io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil {
				return err
			}
			all[strings.TrimPrefix(o.Key, prefix)] = data
		}
		return ctx.Err() // which ends the listing, too
	})
	if err != nil {
		return nil, fmt.Errorf("read output %s: %w", url, err)
	}
	return all, nil
}

// keepEvidence writes everything that is known about a job with a mistake.
func (c *cluster) keepEvidence(ctx context.Context, j *testJob, v verdict) {
	folder := filepath.Join(c.folder, "evidence", strings.ReplaceAll(j.spec.Name, " ", "-"))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	write := func(name string, data []byte) {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			c.t.Error(err)
		}
	}
	write("verdict", fmt.Appendf(nil, "%s, %s after %v: %v\n", v.id, v.state, v.took, v.err))
	write("expected", []byte(strings.Join(j.want.lines, "\n")))
	for key, data := range j.inputs {
		write(filepath.Join("inputs", key), data)
	}
	if now, err := c.output(ctx, j.spec.Output); err == nil {
		for name, data := range now {
			write(filepath.Join("output", name), data)
		}
	}
	for _, what := range []string{"", "/tasks?limit=500", "/events"} {
		if text, err := c.fetch(ctx, "/v1/jobs/"+string(v.id)+what); err == nil {
			name, _, _ := strings.Cut(strings.Trim("job"+strings.ReplaceAll(what, "/", "-"), "-"), "?")
			write(name+".json", text)
		}
	}
}

// fetch returns the answer to a GET of a path of the API.
func (c *cluster) fetch(ctx context.Context, path string) (text []byte, err error) {
	for _, s := range c.controllers {
		if text, err = s.get(ctx, path); err == nil {
			break
		}
	}
	return text, err
}
