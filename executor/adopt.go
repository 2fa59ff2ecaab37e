package executor

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/job"
)

// A committed map task's manifest is the manifest of its segment file, which starts with 1. If
// another attempt wrote the file, it is adoptedManifest, that attempt's number and claim time as
// uvarints, and the file's manifest.
const adoptedManifest = 2

// appendAdopted appends the manifest of an adopted segment file, which another attempt wrote.
func appendAdopted(dst []byte, from job.AttemptID, manifest []byte) []byte {
	dst = append(dst, adoptedManifest)
	dst = binary.AppendUvarint(dst, uint64(from.Number))
	dst = binary.AppendUvarint(dst, uint64(from.Claimed))
	return append(dst, manifest...)
}

// parseAdopted returns the attempt that wrote the segment file of a committed map attempt, and the
// file's manifest.
func parseAdopted(committed job.AttemptID, b []byte) (writer job.AttemptID, manifest []byte, err error) {
	if len(b) == 0 || b[0] != adoptedManifest {
		return committed, b, nil
	}
	number, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return writer, nil, errAdopted
	}
	claimed, m := binary.Uvarint(b[1+n:])
	if m <= 0 {
		return writer, nil, errAdopted
	}
	writer = committed
	writer.Number, writer.Claimed = int(number), int64(claimed)
	return writer, b[1+n+m:], nil
}

var errAdopted = errors.New("manifest of an adopted segment file is cut short")

// adopt looks for a segment file that an earlier attempt at the task wrote, before a data loss, and
// returns it as this attempt's result, if there is one. Whether that attempt was committed does not
// matter: an object is visible as a whole or not at all.
func (t *mapTask) adopt(ctx context.Context) (r result, found bool, err error) {
	work, a, j := t.executor.work, t.attempt.Attempt, t.job
	log := t.executor.cfg.Log.With("job", j.id, "attempt", a.Name())
	for o, err := range work.List(ctx, j.layout.Segments(a.Task)) {
		if err != nil {
			return result{}, false, err
		}
		writer, ok := j.layout.ParseSegment(a.Task, o.Key)
		if !ok {
			continue
		}
		index, err := segfile.ReadIndex(ctx, segfile.Object{
			Name: work.URL() + "/" + o.Key, Size: o.Size,
			Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
				return work.Get(ctx, o.Key, offset, length)
			},
		})
		if ctx.Err() != nil {
			return result{}, false, err
		}
		if err != nil { // its writer may be deleting it, or the store's disk damaged it
			log.Warn("a segment file on the store can't be read and is not adopted", "object", o.Key, "error", err)
			continue
		}
		var note segmentNote
		if json.Unmarshal(index.Note, &note) != nil || note.Counters == nil || note.Pages != j.plan.Pages || note.Bounds != t.bounds.Name ||
			index.Identity != identity(writer) || len(index.Manifest.Segments) != j.reduces {
			continue
		}
		note.Counters["shuffle_bytes"] = index.Manifest.Size
		manifest, err := index.Manifest.AppendBinary(nil)
		log.Info("segment file adopted", "object", o.Key)
		return result{
			manifest: appendAdopted(nil, writer, manifest),
			counters: note.Counters,
			discard:  func(context.Context) error { return nil }, // other attempts may have adopted it, too
		}, true, err
	}
	return result{}, false, nil
}
