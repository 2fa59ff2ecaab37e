package executor

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/job"
)

// A map task's committed manifest is that of its object, which starts with 1, or, when the object
// is another attempt's, adoptedManifest, that attempt's number and time of claim as uvarints, and then the
// manifest.
const adoptedManifest = 2

func appendAdopted(dst []byte, from job.AttemptID, manifest []byte) []byte {
	dst = append(dst, adoptedManifest)
	dst = binary.AppendUvarint(dst, uint64(from.Number))
	dst = binary.AppendUvarint(dst, uint64(from.Claimed))
	return append(dst, manifest...)
}

// parseAdopted returns which attempt has written a committed map attempt's object, and the
// object's manifest.
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

var errAdopted = errors.New("manifest of an adopted object is cut short")

// adopt looks for an object that an earlier attempt at a map task has written, in the time of
// which Redis knows nothing any more, and returns it as this attempt's result. False: there is none.
// Whether that attempt was committed does not matter: an object is seen whole or not at all.
func (e *Executor) adopt(ctx context.Context, a *attempt, job *jobContext, b *bounds) (result, bool, error) {
	task := a.Attempt.Task
	for o, err := range e.work.List(ctx, job.layout.Segments(task)) {
		if err != nil {
			return result{}, false, err
		}
		writer, ok := job.layout.ParseSegment(task, o.Key)
		if !ok {
			continue
		}
		index, err := shuffle.ReadIndex(ctx, shuffle.Object{
			Name: e.work.URL() + "/" + o.Key, Size: o.Size,
			Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
				return e.work.Get(ctx, o.Key, offset, length)
			},
		})
		if ctx.Err() != nil {
			return result{}, false, err
		}
		if err != nil { // whoever wrote it may be throwing it away, or the store's disk damaged it
			e.cfg.Log.Warn("map output on the store is of no use", "job", job.id, "attempt", a.Attempt.Name(), "object", o.Key, "error", err)
			continue
		}
		var note segmentNote
		if json.Unmarshal(index.Note, &note) != nil || note.Counters == nil || note.Pages != job.plan.Pages || note.Bounds != b.name ||
			index.Identity != identity(writer) || len(index.Manifest.Segments) != job.reduces {
			continue
		}
		note.Counters["shuffle_bytes"] = index.Manifest.Size
		manifest, err := index.Manifest.AppendBinary(nil)
		e.cfg.Log.Info("map output found on the store", "job", job.id, "attempt", a.Attempt.Name(), "object", o.Key)
		return result{
			manifest: appendAdopted(nil, writer, manifest),
			counters: note.Counters,
			discard:  func(context.Context) error { return nil }, // others may have adopted it, too
		}, true, err
	}
	return result{}, false, nil
}
