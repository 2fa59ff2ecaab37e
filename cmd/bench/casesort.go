package main

import (
	"context"
	"io"
	"os/exec"

	"github.com/bucketmill/bucketmill/job"
)

const (
	sortBytes   = 2 << 30 // of records, when full
	recordsFile = "records-00000.dat"
	sortMemory  = "512MiB"
)

var sortCase = benchmark{
	name:  "sort",
	about: "2 GiB of 100-byte records, on a folder, in 512 MiB",
	prepare: func(ctx context.Context, b *bench) ([]contender, error) {
		file, want, err := b.records(ctx)
		if err != nil {
			return nil, err
		}
		return []contender{
			b.run("bucketmill run sort --sort-order total", func(folder string) error {
				files, err := parts(folder)
				if err != nil {
					return err
				}
				return want.checkSorted(files, true)
			}, "sort", "--input", file, "--memory", sortMemory, "--reducers", "4", "--sort-order", "total"),
			b.gnuSort(want, file),
		}, nil
	},
}

// records makes records, and returns their sum.
func (b *bench) records(ctx context.Context) (file string, want lineSum, err error) {
	if file, err = b.generate(ctx, "records", recordsFile, b.scaled(sortBytes, leastBytes)); err != nil {
		return "", want, err
	}
	want, err = sumLines(file)
	return file, want, err
}

func (b *bench) gnuSort(want lineSum, file string) contender {
	const name = "LC_ALL=C sort --parallel=2 -S 512M"
	if _, err := exec.LookPath("sort"); err != nil {
		return contender{name: name, absent: err.Error()}
	}
	out := b.path("sorted.txt")
	return contender{name: name, attempt: func(ctx context.Context) (r result, err error) {
		r.usage, err = b.measure(ctx, command{
			name: "sort", args: []string{"--parallel=2", "-S", "512M", "-T", b.folder, "-o", out, file}, env: []string{"LC_ALL=C"},
		})
		if err != nil {
			return r, err
		}
		return r, want.checkSorted([]string{out}, true)
	}}
}

var serviceSortCase = benchmark{
	name:  "servicesort",
	about: "the same records through MinIO and Redis, by a controller and 2 executors of 256 MiB",
	prepare: func(ctx context.Context, b *bench) ([]contender, error) {
		_, want, err := b.records(ctx)
		if err != nil {
			return nil, err
		}
		c, err := b.startCluster(ctx, executorMemory)
		if err != nil {
			return nil, err
		}
		size := b.scaled(sortBytes, leastBytes)
		input, err := c.input(ctx, b, "records", size)
		if err != nil {
			return nil, err
		}
		reducers := 4
		submit := c.contender("bucketmill submit sort --sort-order total",
			job.Spec{Program: "sort", Input: job.Inputs(input), Reducers: &reducers, SortOrder: job.OrderTotal}, want.checkUnsorted)
		attempt := submit.attempt
		submit.attempt = func(ctx context.Context) (result, error) {
			r, err := attempt(ctx)
			for _, f := range r.figures {
				if f.name == "executors' CPU" {
					r.figures = append(r.figures, figure{name: "executors' CPU", value: f.value * 1e9 / float64(size), unit: "s/GB"})
				}
			}
			return r, err
		}
		return []contender{submit}, nil
	},
}

// checkUnsorted checks that r contains these lines, in any order.
func (want lineSum) checkUnsorted(r io.Reader) error {
	var got lineSum
	err := eachLine(r, func(line []byte) error { got.add(line); return nil })
	if err == nil && got != want {
		err = errWrong
	}
	return err
}
