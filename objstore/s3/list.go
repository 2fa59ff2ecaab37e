package s3

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketmill/bucketmill/objstore"
)

// Listings are requested with URL-escaped keys, because XML can't represent all keys.

// unescaped returns the key of a listing. Some stores ignore the request and don't escape keys.
func unescaped(key *string, encoding types.EncodingType) (string, error) {
	if encoding != types.EncodingTypeUrl {
		return aws.ToString(key), nil
	}
	s, err := url.QueryUnescape(aws.ToString(key))
	if err != nil {
		return "", fmt.Errorf("%w: a key in a listing: %w", objstore.ErrNotSupported, err)
	}
	return s, nil
}

// pageSize is the number of objects, or of uploads, that one request lists.
const pageSize = 1000

func (r *requests) List(ctx context.Context, prefix, after string) (page []objstore.Object, more bool, err error) {
	in := &awss3.ListObjectsV2Input{
		Bucket:       &r.bucket,
		Prefix:       &prefix,
		EncodingType: types.EncodingTypeUrl,
		MaxKeys:      aws.Int32(pageSize),
	}
	if after != "" {
		in.StartAfter = &after
	}
	out, err := r.api.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, false, translate(err)
	}
	page = make([]objstore.Object, len(out.Contents))
	for i, o := range out.Contents {
		key, err := unescaped(o.Key, out.EncodingType)
		if err != nil {
			return nil, false, err
		}
		page[i] = objstore.Object{Key: key, Size: aws.ToInt64(o.Size), ETag: unquoted(o.ETag), ModTime: aws.ToTime(o.LastModified)}
	}
	return page, aws.ToBool(out.IsTruncated), nil
}

func (r *requests) Uploads(ctx context.Context, prefix string, after objstore.Upload) (page []objstore.Upload, more bool, err error) {
	in := &awss3.ListMultipartUploadsInput{
		Bucket:       &r.bucket,
		Prefix:       &prefix,
		EncodingType: types.EncodingTypeUrl,
		MaxUploads:   aws.Int32(pageSize),
	}
	if after.Key != "" {
		in.KeyMarker = &after.Key
	}
	if after.ID != "" {
		in.UploadIdMarker = &after.ID
	}
	out, err := r.api.ListMultipartUploads(ctx, in)
	if err != nil {
		return nil, false, translate(err)
	}
	page = make([]objstore.Upload, len(out.Uploads))
	for i, u := range out.Uploads {
		key, err := unescaped(u.Key, out.EncodingType)
		if err != nil {
			return nil, false, err
		}
		page[i] = objstore.Upload{Key: key, ID: aws.ToString(u.UploadId), Begun: aws.ToTime(u.Initiated)}
	}
	return page, aws.ToBool(out.IsTruncated), nil
}
