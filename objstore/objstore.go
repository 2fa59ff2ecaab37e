// Package objstore is the contract of an object store as the rest of Bucketmill sees it.
// Drivers live in the folders below; package objstoretest holds the suite that every one
// of them passes; package connect opens a bucket by its URL.
//
// What all drivers promise:
//
//   - An object is seen whole or not at all. What a [Writer] receives stays invisible until
//     its upload is completed, by whoever holds the [Upload].
//   - A key that was written or completed can be read at once by everyone. Nothing else is
//     assumed of List, which may be behind.
//   - Every method is safe for concurrent use (a Writer is not), obeys its context, and
//     retries what is worth retrying (throttling, 5xx, resets, time-outs) with exponential
//     backoff and jitter before it fails. Every single request has a deadline of its own.
//   - Errors wrap one of the sentinels below where one fits, and name the object's URL.
package objstore

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Errors that callers tell apart with errors.Is.
var (
	ErrNotFound     = errors.New("no such object")                 // no object, bucket or upload of that name
	ErrExists       = errors.New("object exists")                  // create-if-absent lost
	ErrRange        = errors.New("range starts past the end")      // Get only
	ErrDenied       = errors.New("access denied")                  // credentials missing, wrong or not enough
	ErrThrottled    = errors.New("store asks to slow down")        // after all retries
	ErrUnavailable  = errors.New("store does not answer properly") // 5xx, resets, time-outs; after all retries
	ErrInvalid      = errors.New("store refuses the request")      // a key, part or range that it does not accept
	ErrChanged      = errors.New("object changed meanwhile")       // Get, GetVersion and their readers
	ErrNotSupported = errors.New("store can't do this")
	ErrCorrupt      = errors.New("object is not what was written") // Resolve, ReadChecked and CopyChecked only
	ErrTooLarge     = errors.New("object is too large")            // ReadAll only
	ErrUnproven     = errors.New("store does not tell whose object it is")
)

// ErrNoBucket is the ErrNotFound of stores that say that the bucket itself is not there.
var ErrNoBucket error = noBucket{}

type noBucket struct{}

func (noBucket) Error() string { return "no such bucket" }

func (noBucket) Is(target error) bool { return target == ErrNotFound }

// A Bucket holds objects by key. Keys are slash-separated, without a leading slash.
type Bucket interface {
	// URL names the bucket, "s3://logs" or "file:///data", without a slash at the end
	// ("file://" is the file system's root). URL()+"/"+key names an object.
	URL() string

	// Get reads length bytes from offset on; a length of -1 means to the end. A range that
	// reaches past the end is cut off there. A length of 0 reads nothing, successfully, but
	// for an object that is missing. An offset equal to the size (an empty object's 0, too)
	// reads nothing, successfully; a greater one fails with ErrRange. All errors about the
	// object come from Get itself. A connection that breaks later is resumed by the
	// reader on a new one, at the byte where it broke and only on the same object version
	// (ErrChanged when there is another); a reader never ends early without an error.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// GetVersion is Get of the one version of the object that has this ETag, as Stat and List
	// give it. It fails with ErrChanged where another version is in its place, from itself or
	// from the reader: bytes of another version are never returned as if they were of this one.
	// An empty ETag stands for any version. A store that sends no ETag with an object can't tell its
	// versions apart; there GetVersion is Get.
	GetVersion(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, error)

	// Stat describes an object.
	Stat(ctx context.Context, key string) (Object, error)

	// Put writes a small object at once, replacing what is there.
	Put(ctx context.Context, key string, data []byte) (Object, error)

	// PutIfAbsent writes a small object unless one exists, and then fails with ErrExists.
	// Of several that race at most one wins, on stores that honour it: see Probe.
	PutIfAbsent(ctx context.Context, key string, data []byte) (Object, error)

	// Create starts an object of unknown size. The context holds for the Writer's life.
	// Nothing is visible, and nothing need be sent, before the Writer says so.
	Create(ctx context.Context, key string) (Writer, error)

	// Complete makes a sealed upload visible under its key, replacing what is there.
	// It is idempotent: completing again, or from several processes at once, succeeds as long
	// as the object under the key is the one that this upload made. Where the upload is gone
	// and another object, or none, is in its place it fails with ErrNotFound; where the store
	// does not tell whether the object is that one, with ErrNotFound and ErrUnproven.
	// What it returns is what the store says of the object, not what was sent.
	Complete(ctx context.Context, u Upload) (Object, error)

	// Made tells whether the object under u's key is the one that u made when it was completed.
	// It only looks. It is false where there is no object. An object of the same bytes that
	// another upload made is another. Where the store does not tell it fails with ErrUnproven.
	Made(ctx context.Context, u Upload) (bool, error)

	// Abort throws a sealed or unsealed upload away. Aborting what is gone succeeds.
	// It never removes a completed object.
	Abort(ctx context.Context, u Upload) error

	// Delete removes objects, in batches. Keys that don't exist are no error.
	Delete(ctx context.Context, keys ...string) error

	// List yields the objects whose keys start with prefix, each once, a page at a time. The
	// keys of a folder ("a/b/" and what follows) come together. Most stores list in the order
	// of the keys' bytes; some go folder by folder. After an error it ends.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Uploads yields uploads under prefix that were begun and neither completed nor
	// aborted, for garbage collection: they have no parts, and are good for Abort only. A store
	// may forget some of them, as MinIO does when it restarts, but never those of a key that is
	// the whole prefix.
	Uploads(ctx context.Context, prefix string) iter.Seq2[Upload, error]
}

// A Writer receives an object's bytes in order. It holds at most a few parts in memory,
// whatever the size. Exactly one of Seal, Commit and Abort ends it; each may be called after a
// failed Write, and Seal and Commit then return that error and abort. After one of them, Abort
// does nothing, so that it may be deferred, and the others fail with ErrInvalid.
type Writer interface {
	io.Writer

	// Seal sends what is left and returns the handle by which any process may Complete or
	// Abort the upload. The object is not visible yet.
	Seal() (Upload, error)

	// Commit makes the object visible at once. A small object costs one request.
	Commit() (Object, error)

	// Abort throws away what was written.
	Abort() error
}

// Object describes an object.
type Object struct {
	Key     string
	Size    int64     // bytes
	ETag    string    // changes when the content does; empty where the driver has none
	ModTime time.Time // zero where the store does not say
}

// Upload is the serializable handle of an object that is written but not visible.
type Upload struct {
	Key   string    `json:"key"`
	ID    string    `json:"id"`              // the store's upload id; opaque
	Parts []Part    `json:"parts,omitempty"` // in order
	Size  int64     `json:"size"`            // bytes; of a sealed upload
	Mark  string    `json:"mark,omitempty"`  // kept in the object, so that Made can tell it; empty where the driver needs none
	Begun time.Time `json:"begun,omitzero"`  // from Uploads only
}

// Part is one part of a multipart upload.
type Part struct {
	Number int    `json:"n"` // from 1
	ETag   string `json:"etag"`
	Size   int64  `json:"size"`             // bytes
	CRC32C string `json:"crc32c,omitempty"` // base64; of drivers that send it, to be repeated on completion
}
