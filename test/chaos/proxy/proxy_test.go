package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// server answers a GET with content, and a PUT with what it received.
func server(t *testing.T, content string) (*Proxy, *http.Client, string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			body, err := io.ReadAll(r.Body) // in full: HTTP/1.1 does not answer before
			if err == nil {
				_, _ = w.Write(body)
			}
			return
		}
		if strings.HasSuffix(r.URL.Path, "missing") {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, content)
	}))
	t.Cleanup(s.Close)
	p, err := Listen(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return p, &http.Client{Transport: transport, Timeout: 20 * time.Second}, "http://" + p.Addr()
}

func exchangeBytes(c *http.Client, method, url, body string) (string, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func mustExchange(t *testing.T, c *http.Client, method, url, body string) string {
	t.Helper()
	text, err := exchangeBytes(c, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPassesBytesAsTheyAre(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 10<<10)
	_, c, url := server(t, content)
	if got := mustExchange(t, c, "GET", url, ""); got != content {
		t.Errorf("%d bytes came", len(got))
	}
	if got := mustExchange(t, c, "PUT", url, content); got != content {
		t.Errorf("%d bytes went and came", len(got))
	}
}

func TestCutResetsOpenAndNewConnections(t *testing.T) {
	p, c, url := server(t, "content")
	mustExchange(t, c, "GET", url, "")
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p.Set(Conditions{Cut: true})
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("an open connection: %v", err)
	}
	if text, err := exchangeBytes(c, "GET", url, ""); err == nil {
		t.Errorf("a new connection brings %q", text)
	}
	p.Set(Conditions{})
	mustExchange(t, c, "GET", url, "")
}

func TestHoldKeepsWhatIsOnItsWay(t *testing.T) {
	p, c, url := server(t, "content")
	p.Set(Conditions{Hold: true})
	came := make(chan error, 1)
	go func() {
		_, err := exchangeBytes(c, "GET", url, "")
		came <- err
	}()
	select {
	case err := <-came:
		t.Fatalf("an answer came, %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	p.Set(Conditions{})
	if err := <-came; err != nil {
		t.Error(err)
	}
}

func TestDelayAndRate(t *testing.T) {
	content := strings.Repeat("x", 200<<10)
	p, c, url := server(t, content)
	for name, conditions := range map[string]Conditions{
		"delay": {Delay: 100 * time.Millisecond}, // request and answer
		"rate":  {Rate: 1 << 20},
	} {
		p.Set(conditions)
		started := time.Now()
		mustExchange(t, c, "GET", url, "")
		if took := time.Since(started); took < 190*time.Millisecond {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func TestCorruptFlipsOneByteOfChosenBodies(t *testing.T) {
	content := strings.Repeat("content ", 10<<10)
	p, c, url := server(t, content)
	p.Set(Conditions{Corrupt: func(method, path string) bool { return path == "/chosen" || path == "/missing" }})
	for _, x := range []struct {
		method, path string
		differ       int
	}{
		{"GET", "/chosen", 1},
		{"PUT", "/chosen", 1},
		{"GET", "/other", 0},
		{"PUT", "/other", 0},
		{"GET", "/missing", 0},
	} {
		got := mustExchange(t, c, x.method, url+x.path, content)
		if n := differing(got, content); n != x.differ {
			t.Errorf("%s %s: %d bytes differ", x.method, x.path, n)
		}
	}
	if p.Flipped() != 2 {
		t.Errorf("%d bytes flipped", p.Flipped())
	}
}

// differing counts the bytes by which two texts differ; -1 if their lengths do.
func differing(a, b string) (n int) {
	if len(a) != len(b) {
		return -1
	}
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
