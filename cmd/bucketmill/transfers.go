package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/api"
)

// transfersAtATime is how many objects are under way together.
const transfersAtATime = 4

// transfer is what is to be done with one object.
type transfer struct {
	name string // of its source, for errors
	size int64  // bytes; 0 if there is nothing to wait for
	do   func(ctx context.Context, moved func(bytes int)) (api.Object, error)
}

// transferFlags are those of the commands that move objects.
type transferFlags struct {
	quiet bool
}

func (f *transferFlags) register(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors")
}

// transfers does all of them, a few at a time, and goes on after one has failed unless the others would fail as
// well. Verb is what was done to objects, "put".
func (s *session) transfers(ctx context.Context, verb string, all []transfer, flags transferFlags) error {
	outliveReader(s.out)
	shown := s.showTransfers(verb, all, flags)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(transfersAtATime)
	var mu sync.Mutex
	failed := 0
	for _, t := range all {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			o, err := t.do(ctx, shown.moved)
			switch {
			case err == nil:
				return shown.done(o)
			case len(all) == 1, ctx.Err() != nil, hopeless(err):
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			failed++
			_, err = fmt.Fprintf(shown.words, "bucketmill: %s: %v\n", t.name, s.explain(err))
			return err
		})
	}
	err := g.Wait()
	shown.close(err == nil && failed == 0)
	switch {
	case err != nil:
		return err
	case failed > 0:
		return fmt.Errorf("%d of %s failed, the others are %s", failed, plural(len(all), "object"), verb)
	case len(all) > 1 && !flags.quiet && !s.json:
		fmt.Fprintf(s.err, "%s: %s, %s\n", verb, plural(len(all), "object"), size(shown.bytes))
	}
	return nil
}

// hopeless tells whether other objects would fail as this one did: the server is not there, or refuses the caller.
func hopeless(err error) bool {
	var (
		problem *api.Problem
		network *url.Error
		local   *os.PathError
	)
	if errors.As(err, &problem) {
		return problem.Status == http.StatusUnauthorized || problem.Code == api.CodeForbidden || problem.Code == api.CodeBucketNotFound
	}
	return errors.As(err, &network) && !errors.As(err, &local)
}

// transferView shows how far transfers are: a bar where standard error is a terminal, and a line for each object
// that is done.
type transferView struct {
	session *session
	quiet   bool
	words   io.Writer // for errors
	lines   io.Writer // for what is done

	mu    sync.Mutex
	bytes int64 // guarded by mu: of objects that are done
	count int   // guarded by mu: of them
	bars  *mpb.Progress
	bar   *mpb.Bar
}

func (s *session) showTransfers(verb string, all []transfer, flags transferFlags) *transferView {
	v := &transferView{session: s, quiet: flags.quiet, words: s.err, lines: s.out}
	total := int64(0)
	for _, t := range all {
		total += t.size
	}
	terminal := terminalOf(s.err)
	if terminal == nil || flags.quiet || total == 0 {
		return v
	}
	v.bars = mpb.New(mpb.WithOutput(terminal), mpb.WithRefreshRate(100*time.Millisecond), mpb.WithWidth(barWidth))
	v.bar = v.bars.AddBar(0, // so it is not over before close says so
		mpb.PrependDecorators(decor.Name(lineStart+verb+" "), decor.Percentage()),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			v.mu.Lock()
			defer v.mu.Unlock()
			return fmt.Sprintf(" %d/%d", v.count, len(all))
		})))
	v.bar.SetTotal(total, false)
	above := writerFunc(func(p []byte) (int, error) {
		_, err := v.bars.Write(quoteAll(p))
		return len(p), err
	})
	v.words = above
	if terminalOf(s.out) != nil {
		v.lines = above
	}
	return v
}

// moved counts bytes that are under way.
func (v *transferView) moved(bytes int) {
	if v.bar != nil {
		v.bar.IncrBy(bytes)
	}
}

// done reports an object that is done.
func (v *transferView) done(o api.Object) error {
	v.mu.Lock()
	v.count++
	v.bytes += o.Size
	v.mu.Unlock()
	if v.quiet {
		return nil
	}
	line := *v.session
	line.out = v.lines
	return line.printObject(o)
}

// close ends the bar.
func (v *transferView) close(whole bool) {
	if v.bar == nil {
		return
	}
	if whole {
		v.bar.SetTotal(-1, true)
	} else {
		v.bar.Abort(false)
	}
	v.bars.Wait()
}
