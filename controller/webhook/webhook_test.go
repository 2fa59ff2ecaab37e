package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// delivery is a request that a receiver got.
type delivery struct {
	path   string
	header http.Header
	body   []byte
}

// receiver answers with its codes in turn, and then always with the last one.
type receiver struct {
	*httptest.Server
	codes []int

	mu  sync.Mutex
	got []delivery // guarded by mu
}

func receive(t *testing.T, codes ...int) *receiver {
	r := &receiver{codes: codes}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, delivery{req.Method + " " + req.URL.String(), req.Header, body})
	w.Header().Set("Location", r.URL+"/elsewhere")
	w.WriteHeader(r.codes[min(len(r.got), len(r.codes))-1])
}

func (r *receiver) deliveries() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

func sender(cfg Config) *Sender {
	cfg.Log, cfg.delay = slog.New(slog.DiscardHandler), time.Microsecond
	return New(cfg)
}

var ended = NoticeOf(state.Job{
	ID: "j1", Name: "wc", State: job.Failed, Ended: time.UnixMilli(1_700_000_000_123),
	Error: &job.Failure{Message: "no", Class: job.ClassUser, Attempt: "m1.4", Log: "private", Record: "private", Detail: "private"},
}, job.Spec{Output: "s3://outbox/wc"}, map[string]int64{"records": 3})

func TestNoticeIsSignedAndWhole(t *testing.T) {
	r := receive(t, http.StatusNoContent)
	if err := sender(Config{Secret: "s3cret", AllowPrivate: true}).Send(t.Context(), r.URL+"/hook?key=1", ended); err != nil {
		t.Fatal(err)
	}
	all := r.deliveries()
	if len(all) != 1 || all[0].path != "POST /hook?key=1" {
		t.Fatalf("deliveries: %+v", all)
	}
	d := all[0]
	if d.header.Get("Content-Type") != "application/json" || d.header.Get(HeaderDelivery) != ended.delivery() {
		t.Errorf("headers %v", d.header)
	}
	at, mac, _ := strings.Cut(strings.TrimPrefix(d.header.Get(HeaderSignature), "t="), ",v1=")
	h := hmac.New(sha256.New, []byte("s3cret"))
	h.Write([]byte(at + "." + string(d.body)))
	if mac != hex.EncodeToString(h.Sum(nil)) {
		t.Errorf("signature %s does not fit", d.header.Get(HeaderSignature))
	}
	if seconds, err := strconv.ParseInt(at, 10, 64); err != nil || time.Since(time.Unix(seconds, 0)).Abs() > time.Minute {
		t.Errorf("signed at %s, %v", at, err)
	}
	var got, want any
	if err := errors.Join(json.Unmarshal(d.body, &got), json.Unmarshal([]byte(`{"id":"j1","name":"wc","state":"FAILED",
		"output":"s3://outbox/wc","error":{"message":"no","class":"user","attempt":"m1.4"},"counters":{"records":3},
		"times":{"submitted":null,"planned":null,"maps_done":null,"published":null,"ended":"2023-11-14T22:13:20.123Z"}}`), &want)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %s", d.body)
	}
}

func TestAnswersDecideAboutRetries(t *testing.T) {
	for name, c := range map[string]struct {
		codes []int
		tries int
		fails string // "": it arrives
	}{
		"at once":           {[]int{200}, 1, ""},
		"after trouble":     {[]int{503, 429, 202}, 3, ""},
		"never":             {[]int{500}, 3, "answered 500"},
		"not wanted":        {[]int{404, 200}, 1, "answered 404"},
		"moved":             {[]int{307, 200}, 1, "answered 307"},
		"moved, as browser": {[]int{302, 200}, 1, "answered 302"},
		"gone in the end":   {[]int{500, 410, 200}, 2, "answered 410"},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, c.codes...)
			err := sender(Config{AllowPrivate: true}).Send(t.Context(), r.URL+"/secret", ended)
			if (err == nil) != (c.fails == "") || err != nil && (!strings.HasSuffix(err.Error(), c.fails) || strings.Contains(err.Error(), "/secret")) {
				t.Errorf("got %v, want %q", err, c.fails)
			}
			all := r.deliveries()
			if len(all) != c.tries {
				t.Errorf("%d tries, want %d", len(all), c.tries)
			}
			for _, d := range all {
				if d.path != "POST /secret" || d.header.Get(HeaderDelivery) != ended.delivery() || d.header.Get(HeaderSignature) != "" {
					t.Errorf("delivered %s with %v", d.path, d.header)
				}
			}
		})
	}
}

func TestPrivateAddressesAreNotDialled(t *testing.T) {
	r := receive(t, http.StatusOK)
	u, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		err := sender(Config{}).Send(t.Context(), "http://"+host+":"+u.Port()+"/secret", ended)
		if !errors.Is(err, ErrForbidden) || strings.Contains(err.Error(), "/secret") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if all := r.deliveries(); len(all) > 0 {
		t.Errorf("delivered %+v", all)
	}
	// The address is refused, not the name.
	if err := sender(Config{AllowPrivate: true}).Send(t.Context(), "http://localhost:"+u.Port(), ended); err != nil {
		t.Error(err)
	}
}

func TestNoProxyIsAsked(t *testing.T) {
	var transport *http.Transport
	sender(Config{wrap: func(rt http.RoundTripper) http.RoundTripper {
		transport, _ = rt.(*http.Transport)
		return rt
	}})
	if transport == nil || transport.Proxy != nil {
		t.Error("a proxy would be dialled instead of the receiver")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNetworkErrorsAreTriedAgain(t *testing.T) {
	r := receive(t, http.StatusOK)
	tries := 0
	s := sender(Config{AllowPrivate: true, wrap: func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if tries++; tries < 3 {
				return nil, errors.New("connection to /secret is lost")
			}
			return next.RoundTrip(req)
		})
	}})
	if err := s.Send(t.Context(), r.URL, ended); err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
	tries = -10
	if err := s.Send(t.Context(), r.URL, ended); err == nil || strings.Contains(err.Error(), "/secret") || tries != -7 {
		t.Errorf("%d tries, %v", tries+10, err)
	}
}

func TestSilentReceiverTimesOut(t *testing.T) {
	over := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(over) })
	err := sender(Config{AllowPrivate: true, Timeout: 20 * time.Millisecond, Tries: 1}).Send(t.Context(), silent.URL, ended)
	if err == nil || !strings.HasSuffix(err.Error(), "no answer in time") {
		t.Error(err)
	}
}
