package minio

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/internal/s3bucket"
)

// Headers with which S3 checks what it receives.
const (
	headerCRC32C    = "X-Amz-Checksum-Crc32c"
	headerAlgorithm = "X-Amz-Checksum-Algorithm"
)

// requests sends the requests of one bucket.
type requests struct {
	core   *minio.Core
	bucket string
	plain  bool // HTTP without TLS
}

var _ s3bucket.Requests = (*requests)(nil)

// translate turns the store's refusals into failures, and returns any other error unchanged.
func translate(err error) error {
	r, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return err
	}
	return &s3bucket.Failure{Status: r.StatusCode, Code: r.Code, Message: r.Error(), RequestID: r.RequestID}
}

// checkName refuses keys that minio-go refuses to write, such as a key of only blanks. Its own
// refusals can't be distinguished from broken connections, since neither has an answer of the
// store.
func checkName(key string) error {
	if err := s3utils.CheckValidObjectName(key); err != nil {
		return objstore.Invalidf("%w", err)
	}
	return nil
}

func (r *requests) Get(ctx context.Context, key string, offset, length int64, etag string) (s3bucket.Answer, error) {
	var opts minio.GetObjectOptions
	var err error
	switch {
	case length > 0:
		err = opts.SetRange(offset, offset+length-1)
	case offset > 0:
		err = opts.SetRange(offset, 0) // to the end
	}
	if err == nil && etag != "" {
		err = opts.SetMatchETag(etag)
	}
	if err != nil {
		return s3bucket.Answer{}, translate(err)
	}
	body, info, header, err := r.core.GetObject(ctx, r.bucket, key, opts)
	if err != nil {
		return s3bucket.Answer{}, translate(err)
	}
	return s3bucket.Answer{Body: body, Size: info.Size, ETag: info.ETag, Range: header.Get("Content-Range")}, nil
}

func (r *requests) Head(ctx context.Context, key string) (objstore.Object, string, error) {
	info, err := r.core.StatObject(ctx, r.bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return objstore.Object{}, "", translate(err)
	}
	mark := info.Metadata.Get("X-Amz-Meta-" + s3bucket.MarkHeader)
	o := describe(info)
	o.Key = key
	return o, mark, nil
}

func describe(info minio.ObjectInfo) objstore.Object {
	return objstore.Object{Key: info.Key, Size: info.Size, ETag: info.ETag, ModTime: info.LastModified}
}

func (r *requests) Put(ctx context.Context, key string, p *s3bucket.Payload, c s3bucket.Condition) (string, error) {
	if err := checkName(key); err != nil {
		return "", err
	}
	opts := minio.PutObjectOptions{UserMetadata: map[string]string{headerCRC32C: p.CRC32C}, DisableContentSha256: true}
	if c.Mark != "" {
		opts.UserMetadata[s3bucket.MarkHeader] = c.Mark
	}
	if c.IfAbsent {
		opts.SetMatchETagExcept("*")
	}
	info, err := r.core.PutObject(ctx, r.bucket, key, p.Body(), p.Size, "", r.signedSum(p), opts)
	return info.ETag, translate(err)
}

// signedSum returns the SHA-256 of a body, to be signed; over TLS, which protects the body, it
// returns "". The alternative would be minio-go's signatures of chunks, but a store can't
// distinguish a damaged chunk from a wrong secret key.
func (r *requests) signedSum(p *s3bucket.Payload) string {
	if r.plain {
		return p.SHA256()
	}
	return ""
}

// Delete sends one request for all keys, and one for each key that XML can't represent.
func (r *requests) Delete(ctx context.Context, keys []string) error {
	objects := func(yield func(minio.ObjectInfo) bool) {
		for _, key := range keys {
			if !yield(minio.ObjectInfo{Key: key}) {
				return
			}
		}
	}
	results, err := r.core.RemoveObjectsWithIter(ctx, r.bucket, objects, minio.RemoveObjectsOptions{})
	if err != nil {
		return translate(err)
	}
	for result := range results {
		if result.Err != nil {
			return translate(result.Err)
		}
	}
	return ctx.Err() // the end of ctx also ends the results
}

func (r *requests) StartUpload(ctx context.Context, key, mark string) (string, error) {
	if err := checkName(key); err != nil {
		return "", err
	}
	opts := minio.PutObjectOptions{UserMetadata: map[string]string{headerAlgorithm: "CRC32C", s3bucket.MarkHeader: mark}}
	id, err := r.core.NewMultipartUpload(ctx, r.bucket, key, opts)
	return id, translate(err)
}

func (r *requests) PutPart(ctx context.Context, key, id string, number int, p *s3bucket.Payload) (string, error) {
	opts := minio.PutObjectPartOptions{
		CustomHeader: http.Header{headerCRC32C: {p.CRC32C}}, Sha256Hex: r.signedSum(p), DisableContentSha256: true,
	}
	part, err := r.core.PutObjectPart(ctx, r.bucket, key, id, number, p.Body(), p.Size, opts)
	return part.ETag, translate(err)
}

func (r *requests) CompleteUpload(ctx context.Context, u objstore.Upload) (string, error) {
	parts := make([]minio.CompletePart, len(u.Parts))
	for i, p := range u.Parts {
		parts[i] = minio.CompletePart{PartNumber: p.Number, ETag: p.ETag, ChecksumCRC32C: p.CRC32C}
	}
	info, err := r.core.CompleteMultipartUpload(ctx, r.bucket, u.Key, u.ID, parts, minio.PutObjectOptions{})
	return info.ETag, translate(err)
}

func (r *requests) AbortUpload(ctx context.Context, key, id string) error {
	return translate(r.core.AbortMultipartUpload(ctx, r.bucket, key, id))
}

func (r *requests) FindUpload(ctx context.Context, key, id string) error {
	_, err := r.core.ListObjectParts(ctx, r.bucket, key, id, 0, 1)
	return translate(err)
}

// pageSize is the number of objects, or of uploads, that one request lists.
const pageSize = 1000

func (r *requests) List(ctx context.Context, prefix, after string) (page []objstore.Object, more bool, err error) {
	noOwner := false
	opts := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, StartAfter: after, MaxKeys: pageSize, FetchOwner: &noOwner}
	for info := range r.core.ListObjectsIter(ctx, r.bucket, opts) {
		if info.Err != nil {
			return nil, false, translate(info.Err)
		}
		page = append(page, describe(info))
		if len(page) == pageSize { // the iterator would request the next page
			return page, true, nil
		}
	}
	return page, false, ctx.Err() // the end of ctx also ends the iterator
}

func (r *requests) Uploads(ctx context.Context, prefix string, after objstore.Upload) (page []objstore.Upload, more bool, err error) {
	result, err := r.core.ListMultipartUploads(ctx, r.bucket, prefix, after.Key, after.ID, "", pageSize)
	if err != nil {
		return nil, false, translate(err)
	}
	page = slices.Grow(page, len(result.Uploads))
	for _, u := range result.Uploads {
		page = append(page, objstore.Upload{Key: u.Key, ID: u.UploadID, Size: u.Size, Begun: u.Initiated})
	}
	return page, result.IsTruncated, nil
}

func (r *requests) HeadBucket(ctx context.Context) error {
	exists, err := r.core.BucketExists(ctx, r.bucket)
	if err == nil && !exists {
		return &s3bucket.Failure{Status: http.StatusNotFound, Code: minio.NoSuchBucket, Message: "no such bucket"}
	}
	return translate(err)
}

func (r *requests) CreateBucket(ctx context.Context) error {
	return translate(r.core.MakeBucket(ctx, r.bucket, minio.MakeBucketOptions{}))
}

func (r *requests) Buckets(ctx context.Context) ([]string, error) {
	buckets, err := r.core.ListBuckets(ctx)
	if err != nil {
		return nil, translate(err)
	}
	names := make([]string, len(buckets))
	for i, b := range buckets {
		names[i] = b.Name
	}
	return names, nil
}

func (r *requests) Presign(ctx context.Context, method, key string, expires time.Duration) (string, error) {
	link, err := r.core.Presign(ctx, method, r.bucket, key, expires, nil)
	if err != nil {
		return "", translate(err)
	}
	return link.String(), nil
}
