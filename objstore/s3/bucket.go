package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func (r *requests) HeadBucket(ctx context.Context) error {
	_, err := r.api.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &r.bucket})
	return translate(err)
}

func (r *requests) CreateBucket(ctx context.Context) error {
	in := &awss3.CreateBucketInput{Bucket: &r.bucket}
	if r.region != "us-east-1" { // AWS refuses this one as a constraint
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(r.region),
		}
	}
	_, err := r.api.CreateBucket(ctx, in)
	return translate(err)
}

func (r *requests) Buckets(ctx context.Context) (names []string, err error) {
	pages := awss3.NewListBucketsPaginator(r.api, &awss3.ListBucketsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, translate(err)
		}
		for _, b := range page.Buckets {
			names = append(names, aws.ToString(b.Name))
		}
	}
	return names, nil
}
