package objstoretest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// RunTLS puts an encrypting proxy in front of the store. Over TLS the drivers don't sign bodies, so
// only their checksums can reveal damage.
func RunTLS(t *testing.T, s S3) {
	target, err := url.Parse(s.Store.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}})
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // some handshakes must fail
	front.StartTLS()
	t.Cleanup(front.Close)
	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate())
	config := objstore.S3Config{
		Endpoint: front.URL,
		Parts:    objstore.PartSizes{Least: objstore.MinPartSize},
		Retry:    objstore.Retry{Attempts: 2, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond},
	}

	t.Run("Write", func(t *testing.T) {
		c := config
		c.Transport = newTransport(t, &tls.Config{RootCAs: roots})
		b := s.open(t, c)
		data := noise(objstore.MinPartSize + 100)
		put(t, b, "tls/put", string(data))
		wantContent(t, b, "tls/put", data)
		complete(t, b, seal(t, b, "tls/sealed", data))
		wantContent(t, b, "tls/sealed", data)
		if err := b.Delete(t.Context(), "tls/put", "tls/sealed"); err != nil {
			t.Error(err)
		}
	})
	t.Run("CorruptedUpload", func(t *testing.T) {
		c := config
		faults := NewFaults(newTransport(t, &tls.Config{RootCAs: roots}))
		c.Transport = faults
		corrupted(t, faults, s.open(t, c), "tls/")
	})
	t.Run("UnknownAuthority", func(t *testing.T) {
		b := s.open(t, config)
		_, err := b.Stat(t.Context(), "key")
		wantError(t, b, "key", err, objstore.ErrUnavailable)
	})
}
