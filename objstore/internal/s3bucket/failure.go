package s3bucket

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/bucketmill/bucketmill/objstore"
)

// Failure is a store's refusal.
type Failure struct {
	Status    int    // HTTP's; 0 where the library refused by itself
	Code      string // S3's, "NoSuchKey"; may be empty
	Message   string
	RequestID string // for the store's operator; may be empty
}

func (f *Failure) Error() string {
	var s strings.Builder
	if f.Code != "" {
		s.WriteString(f.Code + ": ")
	}
	s.WriteString(strings.TrimSuffix(f.Message, "."))
	if f.Status != 0 {
		fmt.Fprintf(&s, " (HTTP %d", f.Status)
		if f.RequestID != "" {
			s.WriteString(", request " + f.RequestID)
		}
		s.WriteByte(')')
	}
	return s.String()
}

func codeOf(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Code
	}
	return ""
}

// classify finds package objstore's name for an error, and whether the same request may succeed
// when it is repeated. It returns nil for nil.
func classify(err error) (kind error, again bool) {
	if err == nil {
		return nil, false
	}
	for _, sentinel := range []error{
		objstore.ErrNoBucket, objstore.ErrNotFound, objstore.ErrExists, objstore.ErrRange, objstore.ErrDenied,
		objstore.ErrInvalid, objstore.ErrChanged, objstore.ErrNotSupported, objstore.ErrUnproven,
	} {
		if errors.Is(err, sentinel) {
			return sentinel, false
		}
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		if kind, again := classifyCode(f.Code); kind != nil {
			return kind, again
		}
		return classifyStatus(f.Status)
	}
	// Any other error means that no answer came, or none that makes sense: the connection broke.
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	return objstore.ErrUnavailable, !badCertificate && !unknownAuthority && !notTLS
}

// slowDown tells whether the store has more to do than it likes. A HEAD's answer has no code.
func slowDown(err error) bool {
	if f, ok := errors.AsType[*Failure](err); ok && f.Status == http.StatusServiceUnavailable {
		return true
	}
	kind, _ := classify(err)
	return errors.Is(kind, objstore.ErrThrottled)
}

// classifyCode knows those codes that say more than the status that they come with.
func classifyCode(code string) (kind error, again bool) {
	switch code {
	case "NoSuchBucket":
		return objstore.ErrNoBucket, false
	case "NoSuchKey", "NoSuchUpload", "NoSuchVersion", "NotFound":
		return objstore.ErrNotFound, false
	case "PreconditionFailed":
		return objstore.ErrExists, false
	case "ConditionalRequestConflict", "OperationAborted": // another such request is under way
		return objstore.ErrExists, true
	case "InvalidRange":
		return objstore.ErrRange, false
	case "SlowDownRead": // MinIO's for an object that its disks don't give out
		return objstore.ErrUnavailable, true
	case "SlowDown", "SlowDownWrite", "Throttling", "ThrottlingException", "ThrottledException",
		"RequestLimitExceeded", "RequestThrottled", "TooManyRequests", "BandwidthLimitExceeded":
		return objstore.ErrThrottled, true
	case "RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch":
		return objstore.ErrUnavailable, true // the body arrived damaged, late or not at all
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
		"RequestTimeTooSkewed", "AllAccessDisabled", "AccountProblem":
		return objstore.ErrDenied, false
	case "NotImplemented", "MethodNotAllowed":
		return objstore.ErrNotSupported, false
	}
	return nil, false
}

func classifyStatus(status int) (kind error, again bool) {
	switch status {
	case http.StatusNotFound:
		return objstore.ErrNotFound, false
	case http.StatusUnauthorized, http.StatusForbidden:
		return objstore.ErrDenied, false
	case http.StatusPreconditionFailed, http.StatusConflict:
		return objstore.ErrExists, false
	case http.StatusRequestedRangeNotSatisfiable:
		return objstore.ErrRange, false
	case http.StatusTooManyRequests:
		return objstore.ErrThrottled, true
	case http.StatusRequestTimeout:
		return objstore.ErrUnavailable, true
	case http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return objstore.ErrNotSupported, false
	}
	if status >= 500 {
		return objstore.ErrUnavailable, true
	}
	return objstore.ErrInvalid, false
}

// fail names the object and what was done to it, and puts package objstore's error into the chain.
func (b *Bucket) fail(verb, key string, err error) error {
	kind, _ := classify(err)
	if errors.Is(err, kind) {
		return fmt.Errorf("%s %s/%s: %w", verb, b.URL(), key, err)
	}
	return fmt.Errorf("%s %s/%s: %w: %w", verb, b.URL(), key, kind, err)
}

// failContext is fail for a context that ended, which has nothing to do with the store.
func (b *Bucket) failContext(verb, key string, err error) error {
	return fmt.Errorf("%s %s/%s: %w", verb, b.URL(), key, err)
}
