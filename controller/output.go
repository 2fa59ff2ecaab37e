package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// output is the folder that a job writes to. Its methods ask the store only: what must happen in a
// certain stage of the job is a method of step.
type output struct {
	location string // as the job's spec has it
	bucket   objstore.Bucket
	prefix   string // the folder's key
	url      string // the same for all locations of one folder: with or without a slash at the end, or by a link
}

// openOutput opens a job's output. It makes no request.
func openOutput(ctx context.Context, open objstore.Opener, location string) (*output, error) {
	b, key, err := open(ctx, location)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", location, err)
	}
	folder := strings.TrimSuffix(key, "/")
	if linked, ok := b.(objstore.Linked); ok {
		folder = linked.Follow(folder)
	}
	return &output{location: location, bucket: b, prefix: key, url: b.URL() + "/" + folder}, nil
}

// key is the key of an object in the output.
func (o *output) key(name string) string {
	return strings.TrimPrefix(path.Join(o.prefix, name), "/")
}

// find returns the wanted keys of the objects whose names begin with prefix: a part of a name, or a
// folder with a slash at its end. A bucket that does not exist has none.
func (o *output) find(ctx context.Context, prefix string, wanted func(key string) bool) (keys []string, err error) {
	first := o.key(prefix)
	if strings.HasSuffix(prefix, "/") {
		first += "/"
	}
	for object, err := range o.bucket.List(ctx, first) {
		if isNotFound(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		if wanted(object.Key) {
			keys = append(keys, object.Key)
		}
	}
	return keys, nil
}

// complete makes parts visible. It returns the attempts whose uploads are lost: the store has
// neither the upload nor the object that the upload was to become. Somebody may have aborted it, or
// the store has dropped a completion whose controller died while it waited for the answer, as MinIO
// does.
func (o *output) complete(ctx context.Context, parts []part) ([]state.Lost, error) {
	var lost losses
	err := each(ctx, slices.Values(parts), func(ctx context.Context, p part) error {
		object, err := o.bucket.Complete(ctx, p.upload)
		if isNotFound(err) {
			if err = o.checkBytes(ctx, p, err); err == nil || transient(err) {
				return err
			}
			lost.add(p.attempt, err)
			return nil
		}
		if err == nil && object.Size != p.Bytes {
			err = fmt.Errorf("%s/%s has %d bytes, not the %d that were written", o.bucket.URL(), p.upload.Key, object.Size, p.Bytes)
		}
		return err
	})
	return lost.sorted(), err
}

// checkBytes returns nil if a part that can't be completed, for the reason why, is in place all the
// same. Before Redis lost the job, other attempts may have written the same bytes, and a request to
// complete theirs have come last; and some stores don't say whether an object is the completed one.
func (o *output) checkBytes(ctx context.Context, p part, why error) (err error) {
	object, err := o.bucket.Stat(ctx, p.upload.Key)
	if err != nil {
		return errors.Join(why, err)
	}
	if object.Size != p.Bytes {
		return why
	}
	r, err := o.bucket.Get(ctx, p.upload.Key, 0, -1)
	if err != nil {
		return errors.Join(why, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	sum := xxhash.New()
	n, err := io.Copy(sum, r)
	if err != nil {
		return errors.Join(why, err)
	}
	if n != p.Bytes || p.Checksum != fmt.Sprintf("xxh64:%016x", sum.Sum64()) {
		return why
	}
	return nil
}

// checkInvisible fails if there is an object in the place of a part whose manifest is lost. Nobody
// can tell whether the object is the job's, so it stays.
func (o *output) checkInvisible(ctx context.Context, lost []state.Lost) error {
	for _, l := range lost {
		key := o.key(layout.PartName(l.Attempt.Task.Index))
		_, err := o.bucket.Stat(ctx, key)
		if err == nil {
			err = fmt.Errorf("%s/%s may be the job's: what would tell is lost: %s", o.bucket.URL(), key, l.Why)
		}
		if !isNotFound(err) {
			return err
		}
	}
	return nil
}

// partIndex reads the index from a part's key; false if the name is not one that layout.PartName
// makes.
func partIndex(key string) (int, bool) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	index, err := strconv.Atoi(strings.TrimPrefix(name, "part-"))
	return index, err == nil && name == layout.PartName(index)
}
