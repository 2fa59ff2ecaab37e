package objstoretest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// A deviation is a behaviour of a store that contradicts S3's documentation. It rewrites requests
// and answers between a driver and a real store.
type deviation struct {
	name    string // of the store and of what it does
	deviate func(*Faults)
	fails   []string // prefixes of the names of tests that can't pass
	check   func(*testing.T, *deviationSuite)
}

type deviationSuite struct {
	*suite
	faults *Faults // of the buckets
}

// RunDeviations tests an S3 driver against the contract on stores that deviate from S3.
func RunDeviations(t *testing.T, driver S3) {
	for _, d := range deviations() {
		t.Run(d.name, func(t *testing.T) {
			s := &deviationSuite{}
			// All instances use one transport, since they have one store.
			s.faults = NewFaults(newTransport(t, nil))
			d.deviate(s.faults)
			s.suite = &suite{open: func(t *testing.T) objstore.Bucket {
				return driver.open(t, objstore.S3Config{
					Parts:     objstore.PartSizes{Least: objstore.MinPartSize},
					Transport: s.faults,
					Retry:     objstore.Retry{Attempts: 8, BaseDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond},
				})
			}}
			for _, test := range s.tests() {
				if mayDeviate(test.name) && !slices.ContainsFunc(d.fails, func(prefix string) bool { return strings.HasPrefix(test.name, prefix) }) {
					t.Run(test.name, test.run)
				}
			}
			if d.check != nil {
				t.Run("Special", func(t *testing.T) { d.check(t, s) })
			}
		})
	}
}

// mayDeviate selects the tests that deviations may affect, without those that take long.
func mayDeviate(test string) bool {
	switch test {
	case "Commit", "SealIsInvisible", "SealEmpty", "Made", "Delete", "ListPrefix", "Probe":
		return true
	}
	return strings.HasPrefix(test, "Complete") || strings.HasPrefix(test, "Abort")
}

func deviations() []deviation {
	always := func(match func(*http.Request) bool, fault Fault) func(*Faults) {
		return func(f *Faults) { f.Inject(match, 1<<30, fault) }
	}
	gone := func(r *http.Request) bool { return Completion(r) || Abortion(r) }
	head := Method(http.MethodHead)
	return []deviation{
		{name: "VersityGW and rclone complete what is gone", deviate: always(Completion, completeGone)},
		{name: "VersityGW completes before it has", deviate: func(f *Faults) { f.Inject(Completion, 1<<30, completeLater()) }},
		{name: "RGW fails on what is gone", deviate: always(gone, failGone(Refuse(http.StatusInternalServerError, "InternalError"))), check: failsSoon},
		{name: "moto fails on what is gone", deviate: always(gone, failGone(failWithPage)), check: failsSoon},
		{name: "JuiceFS denies completions that race", deviate: func(f *Faults) { f.Inject(Completion, 1<<30, denyRaces()) }},
		{name: "JuiceFS has no ETags", deviate: always(head, without("Etag")), fails: []string{"CompleteAborted", "Made", "Probe"}, check: lacks("versions")},
		{name: "JuiceFS wants Content-MD5", deviate: always(deletion, wantMD5)},
		{name: "metadata is dropped", deviate: always(head, without(markHeader)), fails: []string{"CompleteAborted", "Made", "Probe"}, check: lacks("own objects")},
		{
			name: "metadata and ETags are dropped", deviate: always(head, without(markHeader, "Etag")),
			fails: []string{"Seal", "Complete", "Made", "Abort", "Probe"}, check: unproven,
		},
		{name: "gofakes3 has ETags of its own", deviate: always(head, otherETag)},
		{name: "gofakes3 refuses empty parts", deviate: always(emptyPart, Refuse(411, "MissingContentLength")), fails: []string{"SealEmpty", "Probe"}, check: noEmptyParts},
		{name: "SeaweedFS lists folder by folder", deviate: always(objectListing, byFolder), fails: []string{"ListPrefix", "Probe"}, check: lacks("list order")},
	}
}

const markHeader = "X-Amz-Meta-Bucketmill-Writer"

func deletion(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("delete")
}

func emptyPart(r *http.Request) bool { return PartUpload(r) && r.ContentLength <= 0 }

func objectListing(r *http.Request) bool { return Listing(r) && r.URL.Query().Has("list-type") }

// completeGone answers "completed", with the ETag of the request's parts, if there is no such
// upload.
func completeGone(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	body, err := takeBody(r)
	if err != nil {
		return nil, err
	}
	response, err := send(withBody(r, body))
	if err != nil || response.StatusCode != http.StatusNotFound {
		return response, err
	}
	return completed(r, body), response.Body.Close()
}

// completeLater answers "completed" to the first completion of each upload, and does nothing.
func completeLater() Fault {
	var seen sync.Map // upload ids
	return func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		body, err := takeBody(r)
		if err != nil {
			return nil, err
		}
		if _, again := seen.LoadOrStore(r.URL.Query().Get("uploadId"), true); again {
			return send(withBody(r, body))
		}
		return completed(r, body), nil
	}
}

func takeBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	return body, errors.Join(err, closeBody(r))
}

func withBody(r *http.Request, body []byte) *http.Request {
	sent := r.Clone(r.Context())
	sent.Body = io.NopCloser(bytes.NewReader(body))
	return sent
}

// completed returns the answer to a completion with this body.
func completed(r *http.Request, body []byte) *http.Response {
	var parts struct {
		Part []struct{ ETag string }
	}
	sum := md5.New()
	if xml.Unmarshal(body, &parts) == nil {
		for _, p := range parts.Part {
			raw, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
			if err == nil {
				sum.Write(raw)
			}
		}
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return answer(r, http.StatusOK, fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><CompleteMultipartUploadResult>`+
		`<Location>%s</Location><Bucket>%s</Bucket><Key>%s</Key><ETag>"%x-%d"</ETag></CompleteMultipartUploadResult>`,
		r.URL.Path, bucket, key, sum.Sum(nil), len(parts.Part)))
}

// failGone answers with refuse if there is no such upload.
func failGone(refuse Fault) Fault {
	return func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		response, err := send(r)
		if err != nil || response.StatusCode != http.StatusNotFound {
			return response, err
		}
		refusal, err := refuse(r, nil)
		return refusal, errors.Join(err, response.Body.Close())
	}
}

// failWithPage answers "internal error" with a page for people.
func failWithPage(r *http.Request, _ func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	return answer(r, http.StatusInternalServerError, "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<p>Sorry"), nil
}

// denyRaces denies a completion that arrives while another one of the same upload runs, after that
// one has ended.
func denyRaces() Fault {
	var running sync.Map // of channels, by upload id
	return func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		id, done := r.URL.Query().Get("uploadId"), make(chan struct{})
		if another, ok := running.LoadOrStore(id, done); ok {
			select {
			case <-another.(chan struct{}): //nolint:forcetypeassert // the map contains nothing else
				return Refuse(http.StatusForbidden, "AccessDenied")(r, send)
			case <-r.Context().Done():
				return nil, errors.Join(r.Context().Err(), closeBody(r))
			}
		}
		defer close(done)
		defer running.Delete(id)
		return send(r)
	}
}

func without(headers ...string) Fault {
	return func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		response, err := send(r)
		if err == nil {
			for _, h := range headers {
				response.Header.Del(h)
			}
		}
		return response, err
	}
}

// otherETag replaces the ETags of objects that were uploaded in parts.
func otherETag(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	response, err := send(r)
	if err == nil && strings.Contains(response.Header.Get("Etag"), "-") {
		response.Header.Set("Etag", fmt.Sprintf(`"%x"`, md5.Sum([]byte(response.Header.Get("Etag")))))
	}
	return response, err
}

func wantMD5(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	if r.Header.Get("Content-Md5") == "" {
		return Refuse(http.StatusBadRequest, "MissingContentMD5")(r, send)
	}
	return send(r)
}

var (
	listed    = regexp.MustCompile(`(?s)<Contents>.*</Contents>`)
	oneListed = regexp.MustCompile(`(?s)<Contents>.*?</Contents>`)
	listedKey = regexp.MustCompile(`<Key>(.*?)</Key>`)
)

// byFolder sorts a page of a listing by the elements of the keys' paths.
func byFolder(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	response, err := send(r)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	objects := oneListed.FindAll(body, -1)
	elements := func(object []byte) []string {
		key, err := url.QueryUnescape(string(listedKey.FindSubmatch(object)[1]))
		if err != nil {
			panic(err) // MinIO escapes keys correctly
		}
		return strings.Split(key, "/")
	}
	slices.SortFunc(objects, func(a, b []byte) int { return slices.Compare(elements(a), elements(b)) })
	body = listed.ReplaceAllLiteral(body, bytes.Join(objects, nil))
	return answer(r, http.StatusOK, string(body)), nil
}

// lacks checks that the probe finds these capabilities missing and no others, and that jobs don't
// need them.
func lacks(names ...string) func(*testing.T, *deviationSuite) {
	return func(t *testing.T, d *deviationSuite) {
		b, prefix := d.bucket(t)
		report, err := objstore.Probe(t.Context(), b, prefix)
		if err != nil || report.Err() != nil {
			t.Errorf("the probe fails: %v, %v", err, report.Err())
		}
		for _, found := range report.Found {
			if found.OK == slices.Contains(names, found.Name) {
				t.Errorf("%+v", found)
			}
		}
	}
}

// failsSoon checks that few requests are sent to a store that fails because an upload is gone.
func failsSoon(t *testing.T, d *deviationSuite) {
	b, prefix := d.bucket(t)
	u := seal(t, b, prefix+"key", []byte("data"))
	before := len(d.faults.Seen(Any))
	for range 2 {
		if err := b.Abort(t.Context(), u); err != nil {
			t.Error(err)
		}
	}
	_, err := b.Complete(t.Context(), u)
	wantError(t, b, u.Key, err, objstore.ErrNotFound)
	// 1 abort succeeds. The second takes 2 aborts and a search for the upload. The completion takes
	// 2 completions, a search for the upload and one for the object.
	if sent := len(d.faults.Seen(Any)) - before; sent > 1+3+4 {
		t.Errorf("%d requests for two aborts and a completion", sent)
	}
}

// unproven checks that, if the store does not tell which upload made an object, the object is
// neither taken for the upload's nor lost.
func unproven(t *testing.T, d *deviationSuite) {
	b, prefix := d.bucket(t)
	u := seal(t, b, prefix+"key", []byte("data"))
	for range 2 {
		_, err := b.Complete(t.Context(), u)
		wantError(t, b, u.Key, err, objstore.ErrNotFound)
		wantError(t, b, u.Key, err, objstore.ErrUnproven)
		wantContent(t, b, u.Key, []byte("data"))
		_, err = b.Made(t.Context(), u)
		wantError(t, b, u.Key, err, objstore.ErrUnproven)
	}
	put(t, b, u.Key, "of another size")
	wantMade(t, b, u, false)
	large := noise(objstore.MinPartSize + 100)
	if _, err := create(t, b, u.Key, large).Commit(); err != nil {
		t.Error(err)
	}
	wantContent(t, b, u.Key, large)
	lacks("versions", "own objects")(t, d)
}

// noEmptyParts checks that the writer and the probe report that the store refuses empty parts.
func noEmptyParts(t *testing.T, d *deviationSuite) {
	b, prefix := d.bucket(t)
	_, err := create(t, b, prefix+"key", nil).Seal()
	wantError(t, b, prefix+"key", err, objstore.ErrInvalid)
	if !strings.Contains(err.Error(), "takes no empty parts") {
		t.Errorf("the error does not say so: %v", err)
	}
	if uploads := uploadsOf(t, b, prefix); len(uploads) != 0 {
		t.Errorf("left: %v", uploads)
	}
	report, err := objstore.Probe(t.Context(), b, prefix)
	if err != nil {
		t.Error(err)
	}
	for _, found := range report.Found {
		if found.OK == (found.Name == "empty uploads") {
			t.Errorf("%+v", found)
		}
	}
	if !errors.Is(report.Err(), objstore.ErrNotSupported) {
		t.Errorf("the report's error is %v", report.Err())
	}
}
