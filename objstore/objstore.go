// Package objstore is the contract between Bucketmill and object stores. The drivers are in the
// folders below. Package objstoretest is the suite that every driver passes; package connect opens
// a bucket by its URL.
//
// All drivers promise:
//
//   - An object is visible whole or not at all. What a [Writer] receives stays invisible until
//     its upload is completed, by any process that has the [Upload].
//   - Once a key is written or completed, every process can read it. List may lag behind.
//   - Every method is safe for concurrent use (a Writer is not) and obeys its context. It retries
//     what may pass (throttling, 5xx, resets, timeouts) with exponential backoff and jitter before
//     it fails. Every single request has its own deadline.
//   - An error wraps one of the sentinels below if one fits, and names the object's URL.
package objstore

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Errors that callers distinguish with errors.Is.
var (
	ErrNotFound     = errors.New("no such object")                 // no object, bucket or upload of that name
	ErrExists       = errors.New("object exists")                  // create-if-absent lost
	ErrRange        = errors.New("range starts past the end")      // Get only
	ErrDenied       = errors.New("access denied")                  // credentials missing, wrong or insufficient
	ErrThrottled    = errors.New("store asks to slow down")        // after all retries
	ErrUnavailable  = errors.New("store does not answer properly") // 5xx, resets, timeouts; after all retries
	ErrInvalid      = errors.New("store refuses the request")      // a bad key, part, range or setting; see Invalidf
	ErrChanged      = errors.New("object changed meanwhile")       // Get, GetVersion and their readers
	ErrNotSupported = errors.New("store can't do this")
	ErrCorrupt      = errors.New("object is not what was written") // Resolve, ReadChecked, CopyChecked, Withheld
	ErrTooLarge     = errors.New("object is too large")            // ReadAll only
	ErrUnproven     = errors.New("store does not tell which upload made the object")
)

// ErrNoBucket is an ErrNotFound: the store says that the bucket itself does not exist.
var ErrNoBucket error = noBucket{}

type noBucket struct{}

func (noBucket) Error() string { return "no such bucket" }

func (noBucket) Is(target error) bool { return target == ErrNotFound }

// A Bucket contains objects, each under a key. Keys are slash-separated, without a leading slash.
type Bucket interface {
	// URL names the bucket, "s3://logs" or "file:///data", without a trailing slash
	// ("file://" is the file system's root). URL()+"/"+key names an object.
	URL() string

	// Get reads length bytes, starting at offset; a length of -1 means up to the end. A range
	// that extends past the end stops there. A length of 0 reads nothing; it succeeds if the
	// object exists. An offset equal to the size (0 for an empty object) reads nothing and
	// succeeds; a larger offset fails with ErrRange. Get itself returns all errors about the
	// object. If the connection breaks later, the reader resumes on a new one at the byte where
	// it broke, and only on the same version of the object (else ErrChanged). A reader never
	// ends early without an error.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// GetVersion is Get for the version of the object that has this ETag, as Stat and List
	// return it. If another version has replaced it, GetVersion or the reader fails with
	// ErrChanged: bytes of another version are never returned as if they were of this one. An
	// empty ETag matches any version. A store that sends no ETag with an object can't tell its
	// versions apart; there GetVersion is Get.
	GetVersion(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, error)

	// Stat describes an object.
	Stat(ctx context.Context, key string) (Object, error)

	// Put writes a small object and replaces any object under the key.
	Put(ctx context.Context, key string, data []byte) (Object, error)

	// PutIfAbsent writes a small object, or fails with ErrExists if the key has one. If several
	// calls race, at most one wins; some stores don't keep this promise: see Probe.
	PutIfAbsent(ctx context.Context, key string, data []byte) (Object, error)

	// Create starts an object of unknown size. The Writer uses ctx until it ends. Nothing is
	// visible, and nothing need be sent, until the Writer is committed or sealed; a sealed upload
	// is visible once it is completed.
	Create(ctx context.Context, key string) (Writer, error)

	// Complete makes a sealed upload visible and replaces any object under its key. It is
	// idempotent: to complete again, or from several processes at once, succeeds as long as the
	// object under the key is the one that this upload made. It fails with ErrNotFound if the
	// upload is gone and the key has another object, or none; with ErrNotFound and ErrUnproven
	// if the store does not tell which upload made the object. It returns what the store says
	// about the object, not what was sent.
	Complete(ctx context.Context, u Upload) (Object, error)

	// Made reports whether completing u made the object under its key. It changes nothing. It
	// returns false if there is no object, and if another upload made it, even of the same
	// bytes. It fails with ErrUnproven if the store does not tell.
	Made(ctx context.Context, u Upload) (bool, error)

	// Abort discards an upload, sealed or not. It succeeds if the upload is gone, and never
	// removes a completed object.
	Abort(ctx context.Context, u Upload) error

	// Delete removes objects, in batches. A missing key is not an error.
	Delete(ctx context.Context, keys ...string) error

	// List yields the objects whose keys start with prefix, each once; it requests a page at a
	// time. The keys of a folder (those that begin with "a/b/") are adjacent. Most stores list
	// in byte order of the keys; some list folder by folder. List ends after an error.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Uploads yields the uploads under prefix that were neither completed nor aborted, for
	// garbage collection: they have no parts and can only be aborted. A store may forget some
	// of them, as MinIO does when it restarts, but never those whose key equals the prefix.
	Uploads(ctx context.Context, prefix string) iter.Seq2[Upload, error]
}

// A Writer receives the bytes of an object in order. It keeps only a few upload parts in memory,
// whatever the object's size. Exactly one of Seal, Commit and Abort ends it. Each may be called
// after a failed Write; Seal and Commit then abort and return that error. Once the Writer has
// ended, Abort does nothing, so it may be deferred, and the other methods fail with ErrInvalid.
type Writer interface {
	io.Writer

	// Seal sends the rest and returns the handle with which any process can complete or abort
	// the upload. The object is still invisible.
	Seal() (Upload, error)

	// Commit makes the object visible at once. A small object costs one request.
	Commit() (Object, error)

	// Abort discards what was written.
	Abort() error
}

// Object describes an object.
type Object struct {
	Key     string
	Size    int64     // bytes
	ETag    string    // changes when the content does; empty if the store sends none
	ModTime time.Time // zero if the store does not say
}

// Upload is the serializable handle of an object that is written but not visible.
type Upload struct {
	Key   string    `json:"key"`
	ID    string    `json:"id"`              // the store's upload id; opaque
	Parts []Part    `json:"parts,omitempty"` // in order
	Size  int64     `json:"size"`            // bytes; of a sealed upload
	Mark  string    `json:"mark,omitempty"`  // metadata of the object by which Made recognises it; empty if the driver needs none
	Begun time.Time `json:"begun,omitzero"`  // set by Bucket.Uploads only
}

// Part is one upload part.
type Part struct {
	Number int    `json:"n"` // from 1
	ETag   string `json:"etag"`
	Size   int64  `json:"size"`             // bytes
	CRC32C string `json:"crc32c,omitempty"` // base64; empty if the driver sends none; sent again on completion
}
