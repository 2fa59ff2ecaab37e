package shuffle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
)

// scratchRun is a run on local disk, in the format of every segment file.
type scratchRun struct {
	file     *os.File
	identity segfile.Identity
	manifest segfile.Manifest
}

// createRun creates a file in folder, and the folder if it is missing, and has write fill it. After
// an error nothing is left on disk.
func createRun(folder string, layout segfile.Layout, write func(*segfile.Writer) error) (_ *scratchRun, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("create scratch folder: %w", err)
	}
	file, err := os.CreateTemp(folder, "run-*.bmsh")
	if err != nil {
		return nil, fmt.Errorf("create scratch run: %w", err)
	}
	run := &scratchRun{file: file, identity: layout.Identity}
	defer func() {
		if err != nil {
			err = errors.Join(err, run.remove())
		}
	}()
	w := segfile.NewWriter(file, layout)
	if err := write(w); err != nil {
		return nil, err
	}
	run.manifest, err = w.Finish(nil)
	return run, err
}

// source returns one partition of the run.
func (r *scratchRun) source(partition int) segfile.Source {
	return segfile.Source{
		Name: r.file.Name(), Identity: r.identity, Partition: partition, Segment: r.manifest.Segments[partition],
		Local: true,
		Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(r.file, offset, length)), nil
		},
	}
}

// remove closes and deletes the file.
func (r *scratchRun) remove() error {
	return errors.Join(r.file.Close(), os.Remove(r.file.Name()))
}
