package s3bucket

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err       error
		kind      error
		retryable bool
	}{
		{nil, nil, false},
		{&Failure{Status: 404, Code: "NoSuchKey"}, objstore.ErrNotFound, false},
		{&Failure{Status: 404}, objstore.ErrNotFound, false},
		{&Failure{Status: 412, Code: "PreconditionFailed"}, objstore.ErrExists, false},
		{&Failure{Status: 409, Code: "ConditionalRequestConflict"}, objstore.ErrExists, true},
		{&Failure{Status: 416, Code: "InvalidRange"}, objstore.ErrRange, false},
		{&Failure{Status: 401}, objstore.ErrDenied, false},
		{&Failure{Status: 403, Code: "SignatureDoesNotMatch"}, objstore.ErrDenied, false},
		{&Failure{Status: 403, Code: "UnheardOf"}, objstore.ErrDenied, false},
		{&Failure{Status: 503, Code: "SlowDown"}, objstore.ErrThrottled, true},
		{&Failure{Status: 429}, objstore.ErrThrottled, true},
		{&Failure{Status: 503, Code: "ServiceUnavailable"}, objstore.ErrUnavailable, true},
		{&Failure{Status: 400, Code: "RequestTimeout"}, objstore.ErrUnavailable, true},
		{&Failure{Status: 400, Code: "BadDigest"}, objstore.ErrUnavailable, true},
		{&Failure{Status: 400, Code: "EntityTooLarge"}, objstore.ErrInvalid, false},
		{&Failure{Status: 301, Code: "PermanentRedirect"}, objstore.ErrInvalid, false},
		{&Failure{Status: 501, Code: "NotImplemented"}, objstore.ErrNotSupported, false},
		{fmt.Errorf("send: %w", syscall.ECONNRESET), objstore.ErrUnavailable, true},
		{syscall.ECONNREFUSED, objstore.ErrUnavailable, true},
		{io.ErrUnexpectedEOF, objstore.ErrUnavailable, true},
		{errStalled, objstore.ErrUnavailable, true},
		{&url.Error{Op: "Get", Err: x509.UnknownAuthorityError{}}, objstore.ErrUnavailable, false},
		{fmt.Errorf("no credentials: %w", objstore.ErrDenied), objstore.ErrDenied, false},
	} {
		kind, retryable := classify(c.err)
		if !errors.Is(kind, c.kind) || retryable != c.retryable {
			t.Errorf("%v is %v, retryable %t; want %v, %t", c.err, kind, retryable, c.kind, c.retryable)
		}
	}
}

func TestFail(t *testing.T) {
	b, err := New("bucket", nil, objstore.S3Config{})
	if err != nil {
		t.Fatal(err)
	}
	refusal := &Failure{Status: 404, Code: "NoSuchKey", Message: "The key does not exist.", RequestID: "R1"}
	err = b.fail("get", "a/b", refusal)
	want := "get s3://bucket/a/b: no such object: NoSuchKey: The key does not exist (HTTP 404, request R1)"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if !errors.Is(err, objstore.ErrNotFound) || codeOf(err) != "NoSuchKey" {
		t.Errorf("the chain of %v is incomplete", err)
	}
}

func TestNewRefusesNames(t *testing.T) {
	for _, name := range []string{"", "ab", "Upper", "under_score", "-dash", "dot.", strings.Repeat("x", 64), "a/b"} {
		if _, err := New(name, nil, objstore.S3Config{}); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
