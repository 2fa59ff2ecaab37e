package api

import "github.com/bucketmill/bucketmill/layout"

// Bucket describes a bucket.
type Bucket struct {
	Name string `json:"name"`
	URL  string `json:"url"` // s3://name, as a job names it
}

// BucketList is all buckets that the caller may use, ordered by name.
type BucketList struct {
	Buckets []Bucket `json:"buckets"`
}

// Object describes an object.
type Object struct {
	Key      string `json:"key"`
	URL      string `json:"url"` // s3://bucket/key, as a job names it
	Size     int64  `json:"size"`
	ETag     string `json:"etag,omitempty"`
	Modified *Time  `json:"modified,omitempty"`
}

// ObjectList is a page of a bucket's objects, ordered by key.
type ObjectList struct {
	Objects []Object `json:"objects"`
	Next    string   `json:"next,omitempty"` // the parameter after for the next page; absent on the last page
}

// Presigned is a request that anyone may send until it expires.
type Presigned struct {
	Method  string `json:"method"`
	URL     string `json:"url"`
	Expires *Time  `json:"expires"`
}

// Link is a part of a job's output with a URL by which anyone may read it.
type Link struct {
	layout.SuccessPart
	URL     string `json:"url"`
	Expires *Time  `json:"expires"`
}

// LinkList is the parts of a job's output, in order.
type LinkList struct {
	Parts []Link `json:"parts"`
}
