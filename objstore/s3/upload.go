package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/internal/s3bucket"
)

func (r *requests) StartUpload(ctx context.Context, key, mark string) (string, error) {
	out, err := r.api.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{
		Bucket:            &r.bucket,
		Key:               &key,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		Metadata:          map[string]string{s3bucket.MarkHeader: mark},
	})
	if err != nil {
		return "", translate(err)
	}
	return aws.ToString(out.UploadId), nil
}

func (r *requests) PutPart(ctx context.Context, key, id string, number int, p *s3bucket.Payload) (string, error) {
	out, err := r.api.UploadPart(ctx, &awss3.UploadPartInput{
		Bucket:         &r.bucket,
		Key:            &key,
		UploadId:       &id,
		PartNumber:     aws.Int32(int32(number)),
		Body:           p.Body(),
		ContentLength:  &p.Size,
		ChecksumCRC32C: &p.CRC32C,
	}, unsigned(r.secure()))
	if err != nil {
		return "", translate(err)
	}
	return unquoted(out.ETag), nil
}

func (r *requests) CompleteUpload(ctx context.Context, u objstore.Upload) (string, error) {
	parts := make([]types.CompletedPart, len(u.Parts))
	for i, p := range u.Parts {
		parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(p.Number)), ETag: aws.String(p.ETag)}
		if p.CRC32C != "" {
			parts[i].ChecksumCRC32C = aws.String(p.CRC32C)
		}
	}
	out, err := r.api.CompleteMultipartUpload(ctx, &awss3.CompleteMultipartUploadInput{
		Bucket:          &r.bucket,
		Key:             &u.Key,
		UploadId:        &u.ID,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return "", translate(err)
	}
	return unquoted(out.ETag), nil
}

func (r *requests) AbortUpload(ctx context.Context, key, id string) error {
	_, err := r.api.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{Bucket: &r.bucket, Key: &key, UploadId: &id})
	return translate(err)
}

func (r *requests) FindUpload(ctx context.Context, key, id string) error {
	_, err := r.api.ListParts(ctx, &awss3.ListPartsInput{Bucket: &r.bucket, Key: &key, UploadId: &id, MaxParts: aws.Int32(1)})
	return translate(err)
}
