package client

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/bucketmill/bucketmill/api"
)

// objectPath escapes each element of the key; the slashes stay.
func objectPath(bucket, key string) string {
	elements := strings.Split(key, "/")
	for i := range elements {
		elements[i] = url.PathEscape(elements[i])
	}
	return "/v1/objects/" + url.PathEscape(bucket) + "/" + strings.Join(elements, "/")
}

// Buckets returns the store's buckets, by name.
func (c *Client) Buckets(ctx context.Context) ([]api.Bucket, error) {
	var list api.BucketList
	err := c.get(ctx, "/v1/objects", &list)
	return list.Buckets, err
}

// MakeBucket creates a bucket unless it exists.
func (c *Client) MakeBucket(ctx context.Context, bucket string) error {
	return c.call(ctx, request{method: http.MethodPut, path: "/v1/objects/" + url.PathEscape(bucket)}, nil)
}

// Put writes an object of size bytes; -1: unknown. If the size is known and r is an io.ReaderAt,
// such as a file, the object is sent again if a server can't be reached or asks to wait.
func (c *Client) Put(ctx context.Context, bucket, key string, r io.Reader, size int64) (o api.Object, err error) {
	body := func() (io.Reader, error) {
		if size == 0 {
			return http.NoBody, nil
		}
		return io.NopCloser(r), nil // only the caller closes r
	}
	at, again := r.(io.ReaderAt)
	if again = again && size > 0; again {
		body = func() (io.Reader, error) { return io.NewSectionReader(at, 0, size), nil }
	}
	err = c.call(ctx, request{
		method: http.MethodPut, path: objectPath(bucket, key), body: body, length: size, once: !again,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
	}, &o)
	return o, err
}

// Get opens an object. Read fails if the object ends early.
func (c *Client) Get(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	return c.open(ctx, objectPath(bucket, key))
}

// Stat returns an object's size and ETag.
func (c *Client) Stat(ctx context.Context, bucket, key string) (o api.Object, err error) {
	resp, err := c.do(ctx, request{method: http.MethodHead, path: objectPath(bucket, key)})
	if err != nil {
		return o, err
	}
	o = api.Object{Key: key, URL: "s3://" + bucket + "/" + key, Size: resp.ContentLength, ETag: strings.Trim(resp.Header.Get("ETag"), `"`)}
	return o, resp.Body.Close()
}

// Delete removes an object. It succeeds if the object does not exist.
func (c *Client) Delete(ctx context.Context, bucket, key string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: objectPath(bucket, key)}, nil)
}

// List yields the objects of a bucket whose keys start with prefix, ordered by key.
func (c *Client) List(ctx context.Context, bucket, prefix string) iter.Seq2[api.Object, error] {
	return func(yield func(api.Object, error) bool) {
		query := url.Values{"prefix": {prefix}}
		for {
			var page api.ObjectList
			if err := c.get(ctx, "/v1/objects/"+url.PathEscape(bucket)+"?"+query.Encode(), &page); err != nil {
				yield(api.Object{}, err)
				return
			}
			for _, o := range page.Objects {
				if !yield(o, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("after", page.Next)
		}
	}
}

// Presign returns a request for an object. Anyone may send it for a limited time. How is "get" or
// "put".
func (c *Client) Presign(ctx context.Context, how, bucket, key string) (link api.Presigned, err error) {
	return link, c.call(ctx, request{
		method: http.MethodPost, path: objectPath(bucket, key) + "?presign=" + url.QueryEscape(how),
	}, &link)
}
