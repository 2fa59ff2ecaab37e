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

// maxTransfers is the number of objects that are transferred at the same time.
const maxTransfers = 4

// transfer is the work on one object: to read, write or delete it.
type transfer struct {
	name string // of the source, for errors
	size int64  // bytes, for the progress bar
	do   func(ctx context.Context, moved func(bytes int)) (api.Object, error)
}

// transferFlags are the flags of commands that transfer objects.
type transferFlags struct {
	quiet bool
}

func (f *transferFlags) register(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print only errors")
}

// transfers does all transfers, a few at a time. After a failure it continues, unless the others
// would fail, too. verb says what was done with the objects, such as "put".
func (s *session) transfers(ctx context.Context, verb string, all []transfer, flags transferFlags) error {
	outliveReader(s.out)
	shown := s.showTransfers(verb, all, flags)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxTransfers)
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
			_, err = fmt.Fprintf(shown.messages, "bucketmill: %s: %v\n", t.name, s.explain(err))
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

// hopeless reports whether all other objects would fail with this error, too: the server can't be
// reached, or refuses the caller.
func hopeless(err error) bool {
	if problem, ok := errors.AsType[*api.Problem](err); ok {
		return problem.Status == http.StatusUnauthorized || problem.Code == api.CodeForbidden || problem.Code == api.CodeBucketNotFound
	}
	_, network := errors.AsType[*url.Error](err)
	_, local := errors.AsType[*os.PathError](err)
	return network && !local
}

// transferView shows the progress of transfers: a bar if standard error is a terminal, and a line
// for each object that is done.
type transferView struct {
	session  *session
	quiet    bool
	messages io.Writer // for errors
	lines    io.Writer // for objects that are done

	mu    sync.Mutex
	bytes int64 // guarded by mu: of objects that are done
	count int   // guarded by mu: objects that are done
	bars  *mpb.Progress
	bar   *mpb.Bar
}

func (s *session) showTransfers(verb string, all []transfer, flags transferFlags) *transferView {
	v := &transferView{session: s, quiet: flags.quiet, messages: s.err, lines: s.out}
	total := int64(0)
	for _, t := range all {
		total += t.size
	}
	terminal := terminalOf(s.err)
	if terminal == nil || flags.quiet || total == 0 {
		return v
	}
	v.bars = mpb.New(mpb.WithOutput(terminal), mpb.WithRefreshRate(100*time.Millisecond), mpb.WithWidth(barWidth))
	v.bar = v.bars.AddBar(0, // only close completes the bar
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
	v.messages = above
	if terminalOf(s.out) != nil {
		v.lines = above
	}
	return v
}

// moved counts bytes that were read or written.
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
