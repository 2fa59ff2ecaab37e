package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/internal/s3bucket"
)

// requests sends the requests of one bucket.
type requests struct {
	api      *awss3.Client
	bucket   string
	endpoint string // empty for AWS
	region   string
}

var _ s3bucket.Requests = (*requests)(nil)

// translate turns the store's refusals into failures, and returns any other error unchanged.
func translate(err error) error {
	response, answered := errors.AsType[*awshttp.ResponseError](err)
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		if broken, ok := errors.AsType[*url.Error](err); ok && !errors.Is(err, objstore.ErrDenied) {
			return broken // without the SDK's prefixes, which describe answers
		}
		if answered && response.HTTPStatusCode() >= http.StatusBadRequest {
			// Perhaps a page for people.
			return &s3bucket.Failure{Status: response.HTTPStatusCode(), Message: "the store's answer is not S3's XML"}
		}
		return err
	}
	f := &s3bucket.Failure{Code: api.ErrorCode(), Message: api.ErrorMessage()}
	if answered {
		f.Status, f.RequestID = response.HTTPStatusCode(), response.ServiceRequestID()
	}
	if f.Message == "" {
		f.Message = "the store gives no reason"
	}
	return f
}

// unquoted returns an ETag without quotes, as in [objstore.Object].
func unquoted(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

// secure reports whether requests use TLS.
func (r *requests) secure() bool { return !strings.HasPrefix(r.endpoint, "http://") }

func (r *requests) Get(ctx context.Context, key string, offset, length int64, etag string) (s3bucket.Answer, error) {
	in := &awss3.GetObjectInput{Bucket: &r.bucket, Key: &key}
	switch {
	case length > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	if etag != "" {
		in.IfMatch = aws.String(`"` + etag + `"`)
	}
	out, err := r.api.GetObject(ctx, in)
	if err != nil {
		return s3bucket.Answer{}, translate(err)
	}
	size := int64(-1)
	if out.ContentLength != nil {
		size = *out.ContentLength
	}
	return s3bucket.Answer{Body: out.Body, Size: size, ETag: unquoted(out.ETag), Range: aws.ToString(out.ContentRange)}, nil
}

func (r *requests) Head(ctx context.Context, key string) (objstore.Object, string, error) {
	out, err := r.api.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &r.bucket, Key: &key})
	if err != nil {
		return objstore.Object{}, "", translate(err)
	}
	o := objstore.Object{
		Key:     key,
		Size:    aws.ToInt64(out.ContentLength),
		ETag:    unquoted(out.ETag),
		ModTime: aws.ToTime(out.LastModified),
	}
	return o, out.Metadata[s3bucket.MarkHeader], nil
}

func (r *requests) Put(ctx context.Context, key string, p *s3bucket.Payload, c s3bucket.Condition) (string, error) {
	in := &awss3.PutObjectInput{
		Bucket:         &r.bucket,
		Key:            &key,
		Body:           p.Body(),
		ContentLength:  &p.Size,
		ChecksumCRC32C: &p.CRC32C,
	}
	if c.Mark != "" {
		in.Metadata = map[string]string{s3bucket.MarkHeader: c.Mark}
	}
	if c.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	out, err := r.api.PutObject(ctx, in, unsigned(r.secure()))
	if err != nil {
		return "", translate(err)
	}
	return unquoted(out.ETag), nil
}

func (r *requests) Delete(ctx context.Context, keys []string) error {
	objects := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		objects[i].Key = &keys[i]
	}
	out, err := r.api.DeleteObjects(ctx, &awss3.DeleteObjectsInput{
		Bucket:            &r.bucket,
		Delete:            &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
	}, withMD5)
	if err != nil {
		return translate(err)
	}
	if len(out.Errors) > 0 {
		e := out.Errors[0]
		return &s3bucket.Failure{
			Code:    aws.ToString(e.Code),
			Message: fmt.Sprintf("%s: %s (and %d more)", aws.ToString(e.Key), aws.ToString(e.Message), len(out.Errors)-1),
		}
	}
	return nil
}

// withMD5 adds Content-MD5. AWS required it with DeleteObjects before it accepted other checksums;
// some stores (JuiceFS, older MinIO) still do.
func withMD5(o *awss3.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.AddContentChecksumMiddleware)
}

func (r *requests) Presign(ctx context.Context, method, key string, expires time.Duration) (string, error) {
	client := awss3.NewPresignClient(r.api, awss3.WithPresignExpires(expires))
	if method == http.MethodPut {
		signed, err := client.PresignPutObject(ctx, &awss3.PutObjectInput{Bucket: &r.bucket, Key: &key})
		if err != nil {
			return "", translate(err)
		}
		return signed.URL, nil
	}
	signed, err := client.PresignGetObject(ctx, &awss3.GetObjectInput{Bucket: &r.bucket, Key: &key})
	if err != nil {
		return "", translate(err)
	}
	return signed.URL, nil
}
