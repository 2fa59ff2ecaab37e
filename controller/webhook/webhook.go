// Package webhook reports the end of a job to a URL that the user chooses.
//
// A delivery is a POST of a Notice, tried a few times. It may arrive more than once: all tries
// for one ending carry the same Bucketmill-Delivery header. With a secret, a delivery is signed:
//
//	Bucketmill-Signature: t=UNIX,v1=HEX
//
// HEX is the HMAC-SHA256 of UNIX, a dot and the body. A receiver should compare it in constant
// time, and refuse a UNIX that is long past.
//
// Everyone who may submit jobs chooses URLs, and the controller may reach hosts that they may
// not. So only public addresses are dialled, unless the configuration says otherwise: each address
// is checked after names are resolved. No redirect is followed, no proxy is used, only the status
// of the answer is reported, and errors name neither address nor path.
package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// ErrForbidden says that a webhook's host has no public address.
var ErrForbidden = errors.New("not a public address")

// The headers of a delivery.
const (
	HeaderDelivery  = "Bucketmill-Delivery"  // JOB/STATE/ENDED_MS: the same in all tries for one ending
	HeaderSignature = "Bucketmill-Signature" // t=UNIX,v1=HEX
)

// Config is what a sender needs.
type Config struct {
	Secret       string        // key of signatures; "": deliveries are not signed
	AllowPrivate bool          // dial any address
	Timeout      time.Duration // of one try; default 4s
	Tries        int           // default 3
	Log          *slog.Logger  // for tries that fail and are repeated

	// Seams for this package's tests.
	wrap  func(http.RoundTripper) http.RoundTripper
	delay time.Duration // before the second try, about; doubles from try to try; default 500ms
}

// Sender delivers notices. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	client *http.Client
}

// New makes a sender.
func New(cfg Config) *Sender {
	cfg.Timeout = cmp.Or(cfg.Timeout, 4*time.Second)
	cfg.Tries = cmp.Or(cfg.Tries, 3)
	cfg.delay = cmp.Or(cfg.delay, 500*time.Millisecond)
	dialer := &net.Dialer{Control: refusePrivate}
	if cfg.AllowPrivate {
		dialer.Control = nil
	}
	var transport http.RoundTripper = &http.Transport{
		Proxy:                  nil, // it would be dialled instead of the receiver
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true, // deliveries are rare
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if cfg.wrap != nil {
		transport = cfg.wrap(transport)
	}
	return &Sender{cfg: cfg, client: &http.Client{
		Transport:     transport,
		Timeout:       cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send delivers a notice. It returns nil once a 2xx answer says that the notice arrived. It tries
// again after network errors and after answers of 429 and 5xx, but not after others, and not after
// ErrForbidden.
func (s *Sender) Send(ctx context.Context, to string, n Notice) error {
	u, err := url.Parse(to)
	if err != nil {
		return errors.New("deliver notice: the webhook is not a URL") // err would quote it
	}
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notice: %w", err)
	}
	delivery := n.delivery()
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		return struct{}{}, s.try(ctx, u, delivery, body)
	}, backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: s.cfg.delay, MaxInterval: 16 * s.cfg.delay, Multiplier: 2, RandomizationFactor: .5,
	}), backoff.WithMaxTries(uint(s.cfg.Tries)), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, after time.Duration) {
			s.cfg.Log.Warn("webhook call failed, retrying", "delivery", delivery, "host", u.Host, "after", after, "error", err)
		}))
	// After the last try Retry returns the wrapper.
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		err = permanent.Unwrap()
	}
	if err != nil {
		return fmt.Errorf("deliver notice to %s: %w", u.Host, err)
	}
	return nil
}

// try sends a notice once. An error that is not a PermanentError may go away.
func (s *Sender) try(ctx context.Context, to *url.URL, delivery string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(errors.New("the webhook is not a URL"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "bucketmill")
	req.Header.Set(HeaderDelivery, delivery)
	if s.cfg.Secret != "" {
		req.Header.Set(HeaderSignature, sign(s.cfg.Secret, time.Now(), body))
	}
	resp, err := s.client.Do(req)
	if errors.Is(err, ErrForbidden) {
		return backoff.Permanent(ErrForbidden)
	}
	if err != nil {
		return plain(err)
	}
	defer resp.Body.Close() // unread, because it may be long and slow
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests, code >= 500:
		return fmt.Errorf("answered %d", code)
	default:
		return backoff.Permanent(fmt.Errorf("answered %d", code))
	}
}

// plain describes an error without URL, addresses or anything that the receiver wrote.
func plain(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("no answer in time")
	}
	var name *net.DNSError
	if errors.As(err, &name) {
		return errors.New("its name can't be resolved")
	}
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return errors.New("its certificate can't be verified")
	case errors.As(err, &op) && op.Op != "remote error":
		return errors.New("network error on " + op.Op) // dial, read or write
	}
	return errors.New("no HTTP answer")
}

// sign returns the value of HeaderSignature.
func sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
