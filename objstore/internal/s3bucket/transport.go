package s3bucket

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// transport counts requests for their bucket, and sends those that need one on a new connection. An
// idle connection may be dead, or lead to the very server that is slow.
type transport struct {
	pooled http.RoundTripper
	fresh  http.RoundTripper
}

func wrapTransport(t http.RoundTripper) *transport {
	wrapped := &transport{pooled: t, fresh: t}
	if pool, ok := t.(*http.Transport); ok {
		once := pool.Clone()
		once.DisableKeepAlives = true
		wrapped.fresh = once
	}
	return wrapped
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c, ok := r.Context().Value(callInfoKey{}).(callInfo)
	if ok {
		count(c.counters, r)
	}
	if c.fresh {
		return t.fresh.RoundTrip(r)
	}
	return t.pooled.RoundTrip(r)
}

// newTransport returns a transport for many connections to one host. It asks for no compression,
// since the bytes of an object must arrive as they are. It speaks HTTP/1.1, since a single
// connection would be the bottleneck of all streams on it. Besides the system's certificate
// authorities it trusts those in the file that AWS_CA_BUNDLE names.
func newTransport() (*http.Transport, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       60 * time.Second,
		DisableCompression:    true,
		ReadBufferSize:        64 << 10,
		WriteBufferSize:       64 << 10,
	}
	file := os.Getenv("AWS_CA_BUNDLE")
	if file == "" {
		return t, nil
	}
	bundle, err := os.ReadFile(file)
	if err != nil {
		return nil, objstore.Invalidf("AWS_CA_BUNDLE: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, objstore.Invalidf("AWS_CA_BUNDLE: %s contains no certificate", file)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}
