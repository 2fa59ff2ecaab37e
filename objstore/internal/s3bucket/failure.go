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

// Failure is a refusal by the store.
type Failure struct {
	Status    int    // the HTTP status; 0 if the library refused by itself
	Code      string // S3's code, such as "NoSuchKey"; may be empty
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

// classify returns the sentinel of package objstore for an error, and whether the same request may
// succeed if it is retried. It returns nil for nil.
func classify(err error) (kind error, retryable bool) {
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
		if kind, retryable := classifyCode(f.Code); kind != nil {
			return kind, retryable
		}
		return classifyStatus(f.Status)
	}
	// Any other error means that no answer came, or none that makes sense: the connection broke.
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	return objstore.ErrUnavailable, !badCertificate && !unknownAuthority && !notTLS
}

// slowDown reports whether the store asks to slow down. It checks the status, too, since the answer
// to a HEAD has no code.
func slowDown(err error) bool {
	if f, ok := errors.AsType[*Failure](err); ok && f.Status == http.StatusServiceUnavailable {
		return true
	}
	kind, _ := classify(err)
	return errors.Is(kind, objstore.ErrThrottled)
}

// classifyCode classifies the codes that say more than their HTTP status. It returns nil for
// others.
func classifyCode(code string) (kind error, retryable bool) {
	switch code {
	case "NoSuchBucket":
		return objstore.ErrNoBucket, false
	case "NoSuchKey", "NoSuchUpload", "NoSuchVersion", "NotFound":
		return objstore.ErrNotFound, false
	case "PreconditionFailed":
		return objstore.ErrExists, false
	case "ConditionalRequestConflict", "OperationAborted": // another such request is running
		return objstore.ErrExists, true
	case "InvalidRange":
		return objstore.ErrRange, false
	case "SlowDownRead": // MinIO's code for an object that its disks can't read
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

func classifyStatus(status int) (kind error, retryable bool) {
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

// fail adds the operation, the object's URL and the sentinel of package objstore to err.
func (b *Bucket) fail(verb, key string, err error) error {
	kind, _ := classify(err)
	if errors.Is(err, kind) {
		return fmt.Errorf("%s %s/%s: %w", verb, b.URL(), key, err)
	}
	return fmt.Errorf("%s %s/%s: %w: %w", verb, b.URL(), key, kind, err)
}

// failContext is fail for a context that has ended, which is not the store's fault.
func (b *Bucket) failContext(verb, key string, err error) error {
	return fmt.Errorf("%s %s/%s: %w", verb, b.URL(), key, err)
}
