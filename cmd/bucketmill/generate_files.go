package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/bucketmill/bucketmill/cmd/bucketmill/internal/sample"
	"github.com/bucketmill/bucketmill/objstore"
)

// maxSampleFiles is the number of files that the five digits of their names can count.
const maxSampleFiles = 100_000

// writeSample writes size bytes of a source as a single file to w.
func writeSample(ctx context.Context, source sample.Source, size int64, w io.Writer) error {
	if _, err := w.Write(source.Header()); err != nil {
		return fmt.Errorf("write sample data: %w", err)
	}
	for piece, err := range sample.Pieces(ctx, source, size, 1) {
		if err != nil {
			return err
		}
		if _, err := w.Write(piece.Data); err != nil {
			return fmt.Errorf("write sample data: %w", err)
		}
	}
	return nil
}

// sampleFiles writes a stream as several objects, one at a time. An object is visible only when it
// is whole.
type sampleFiles struct {
	bucket  objstore.Bucket
	key     func(n int) string
	written int64 // bytes in finished objects

	writer objstore.Writer // of the current object; nil before the first and after the last
	next   int             // number of the object after the current one
}

// write makes a number of objects with size bytes in total.
func (s *sampleFiles) write(ctx context.Context, source sample.Source, size int64, files int) error {
	err := s.writePieces(ctx, source, size, files)
	if err != nil && s.writer != nil {
		err = errors.Join(err, s.writer.Abort())
	}
	return err
}

func (s *sampleFiles) writePieces(ctx context.Context, source sample.Source, size int64, files int) error {
	for piece, err := range sample.Pieces(ctx, source, size, files) {
		if err != nil {
			return err
		}
		if err := s.begin(ctx, source, piece.File); err != nil {
			return err
		}
		if _, err := s.writer.Write(piece.Data); err != nil {
			return fmt.Errorf("write %s: %w", s.key(piece.File), err)
		}
	}
	// Files without a record are made, too.
	if err := s.begin(ctx, source, files-1); err != nil {
		return err
	}
	return s.finish()
}

// begin finishes objects and creates new ones until object n is the current one.
func (s *sampleFiles) begin(ctx context.Context, source sample.Source, n int) error {
	for s.next <= n {
		if err := s.finish(); err != nil {
			return err
		}
		key := s.key(s.next)
		writer, err := s.bucket.Create(ctx, key)
		if err != nil {
			return fmt.Errorf("create %s: %w", key, err)
		}
		s.writer = writer
		s.next++
		if _, err := writer.Write(source.Header()); err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
	}
	return nil
}

// finish makes the current object, if any, visible. Commit ends the writer even if it fails.
func (s *sampleFiles) finish() error {
	writer := s.writer
	if writer == nil {
		return nil
	}
	s.writer = nil
	object, err := writer.Commit()
	if err != nil {
		return fmt.Errorf("write %s: %w", s.key(s.next-1), err)
	}
	s.written += object.Size
	return nil
}

// sampleNumber matches the part of a file's name between its kind and its extension.
var sampleNumber = regexp.MustCompile(`^[0-9]{5}$`)

// find returns the keys of existing objects that are named like these files: they begin with prefix
// and end with extension.
func (s *sampleFiles) find(ctx context.Context, prefix, extension string) (keys []string, err error) {
	for o, err := range s.bucket.List(ctx, prefix) {
		if errors.Is(err, objstore.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		number, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, prefix), extension)
		if ok && sampleNumber.MatchString(number) {
			keys = append(keys, o.Key)
		}
	}
	return keys, nil
}

// drop deletes the older objects that no file has replaced.
func (s *sampleFiles) drop(ctx context.Context, old []string, files int) error {
	var rest []string
	for _, key := range old {
		if key >= s.key(files) {
			rest = append(rest, key)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return s.bucket.Delete(ctx, rest...)
}
