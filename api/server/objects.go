package server

import (
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/objstore"
)

func objectOf(bucket string, o objstore.Object) api.Object {
	return api.Object{
		Key: o.Key, URL: "s3://" + bucket + "/" + o.Key, Size: o.Size,
		ETag: strings.Trim(o.ETag, `"`), Modified: api.TimeOf(o.ModTime),
	}
}

const objectsPath = "/v1/objects/"

// objectURL reads bucket and key from the path as it was sent, because a key may have any
// character, even those that a router interprets.
func objectURL(c echo.Context) (bucket, location string, err error) {
	escaped, key, _ := strings.Cut(strings.TrimPrefix(c.Request().URL.EscapedPath(), objectsPath), "/")
	if bucket, err = url.PathUnescape(escaped); err == nil {
		key, err = url.PathUnescape(key)
	}
	if err != nil {
		return "", "", newProblem(api.CodeInvalidLocation, "%w", err)
	}
	if err := objstore.CheckBucketName(bucket); err != nil { // which may have had escaped slashes
		return "", "", newProblem(api.CodeInvalidLocation, "%w", err)
	}
	return bucket, "s3://" + bucket + "/" + key, nil
}

// getObject answers GET and HEAD /v1/objects/{bucket}/{key}, also for a range.
func (s *Server) getObject(c echo.Context) error {
	_, location, err := objectURL(c)
	if err != nil {
		return err
	}
	if strings.HasSuffix(location, "/") {
		return newProblem(api.CodeInvalidLocation, "%s is not the name of an object", location).
			WithHint("GET /v1/objects/{bucket}?prefix={key} lists what is below a key that ends with a slash")
	}
	u, err := s.places.readable(location, callerOf(c))
	if err != nil {
		return err
	}
	b, key, err := s.cfg.Open(c.Request().Context(), u.String())
	if err != nil {
		return err
	}
	o, err := b.Stat(c.Request().Context(), key)
	if err != nil {
		return err
	}
	if o.ETag != "" {
		c.Response().Header().Set("ETag", `"`+strings.Trim(o.ETag, `"`)+`"`)
	}
	return s.serveContent(c, u.String(), o.Size, o.ModTime, &objectReader{ctx: c.Request().Context(), bucket: b, object: o, end: o.Size})
}

// putObject answers PUT /v1/objects/{bucket}/{key}. The object is invisible until all of it has
// arrived.
func (s *Server) putObject(c echo.Context) error {
	bucket, location, err := objectURL(c)
	if err != nil {
		return err
	}
	u, err := s.places.writable(location, 0)
	if err != nil {
		return err
	}
	if u.Key == "" || strings.HasSuffix(u.Key, "/") {
		return newProblem(api.CodeInvalidLocation, "%s is not the name of an object", u)
	}
	if err := allowBody(c, s.cfg.MaxUpload); err != nil {
		return err
	}
	giveBack, err := s.takePlace(c)
	if err != nil {
		return err
	}
	defer giveBack()
	b, key, err := s.cfg.Open(c.Request().Context(), u.String())
	if err != nil {
		return err
	}
	w, err := b.Create(c.Request().Context(), key)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, c.Request().Body)
	if length := c.Request().ContentLength; err == nil && length >= 0 && n != length {
		err = newProblem(api.CodeIncompleteBody, "%d of %d bytes arrived", n, length)
	}
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	o, err := w.Commit()
	if err != nil {
		return err
	}
	s.audit.done(c, "object written", "object", u, "bytes", o.Size)
	return c.JSON(http.StatusCreated, objectOf(bucket, o))
}

// deleteObject answers DELETE /v1/objects/{bucket}/{key}. Deleting an object that does not exist
// succeeds.
func (s *Server) deleteObject(c echo.Context) error {
	_, location, err := objectURL(c)
	if err != nil {
		return err
	}
	u, err := s.places.writable(location, 0)
	if err != nil {
		return err
	}
	b, key, err := s.cfg.Open(c.Request().Context(), u.String())
	if err != nil {
		return err
	}
	if err := b.Delete(c.Request().Context(), key); err != nil {
		return err
	}
	s.audit.done(c, "object deleted", "object", u)
	return c.NoContent(http.StatusNoContent)
}

// makeBucket answers PUT /v1/objects/{bucket}.
func (s *Server) makeBucket(c echo.Context) error {
	_, location, err := objectURL(c)
	if err != nil {
		return err
	}
	u, err := s.places.named(location)
	if err != nil {
		return err
	}
	if err := s.places.allowed(u); err != nil {
		return err
	}
	if s.cfg.EnsureBucket == nil {
		return newProblem(api.CodeNotConfigured, "creating buckets is not set up")
	}
	if err := s.cfg.EnsureBucket(c.Request().Context(), u.String()); err != nil {
		return err
	}
	s.audit.done(c, "bucket created", "bucket", u)
	return c.NoContent(http.StatusNoContent)
}

// presignObject answers POST /v1/objects/{bucket}/{key}?presign=put|get.
func (s *Server) presignObject(c echo.Context) error {
	_, location, err := objectURL(c)
	if err != nil {
		return err
	}
	var (
		u      objstore.URL
		method string
	)
	wanted, err := enumParam(c, "presign", "put", "get")
	if err != nil {
		return err
	}
	switch wanted {
	case "put":
		method = http.MethodPut
		u, err = s.places.writable(location, 0)
	case "get":
		method = http.MethodGet
		u, err = s.places.readable(location, callerOf(c))
	default:
		return invalidQuery("presign", "it is missing; it must be put or get")
	}
	if err != nil {
		return err
	}
	if s.cfg.Presign == nil {
		return newProblem(api.CodeNotConfigured, "presigned links are not set up")
	}
	link, err := s.cfg.Presign(c.Request().Context(), method, u.String(), linkLife)
	if err != nil {
		return err
	}
	s.audit.done(c, "link created", "method", method, "object", u)
	return c.JSON(http.StatusOK, api.Presigned{Method: method, URL: link, Expires: api.TimeOf(time.Now().Add(linkLife))})
}

// How many objects a page has.
const (
	defaultObjects = 1000
	maxObjects     = 10_000
)

// listObjects answers GET /v1/objects/{bucket}.
func (s *Server) listObjects(c echo.Context) error {
	bucket, location, err := objectURL(c)
	if err != nil {
		return err
	}
	limit, err := intParam(c, "limit", defaultObjects, 1, maxObjects)
	if err != nil {
		return err
	}
	u, err := s.places.readable(location+c.QueryParam("prefix"), callerOf(c))
	if err != nil {
		return err
	}
	b, prefix, err := s.cfg.Open(c.Request().Context(), u.String())
	if err != nil {
		return err
	}
	listing := only(b.List(c.Request().Context(), prefix), func(key string) bool {
		return s.places.listed(u, objstore.URL{Scheme: u.Scheme, Bucket: u.Bucket, Key: key})
	})
	objects, err := pageAfter(listing, c.QueryParam("after"), limit+1)
	if err != nil {
		return err
	}
	list := api.ObjectList{Objects: []api.Object{}}
	for _, o := range objects[:min(limit, len(objects))] {
		list.Objects = append(list.Objects, objectOf(bucket, o))
	}
	if len(objects) > limit {
		list.Next = list.Objects[limit-1].Key
	}
	return c.JSON(http.StatusOK, list)
}

// only returns the objects of a listing whose keys are wanted. It is needed because a prefix may be
// the beginning of keys that the caller must not see.
func only(listing iter.Seq2[objstore.Object, error], wanted func(key string) bool) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		for o, err := range listing {
			if (err != nil || wanted(o.Key)) && !yield(o, err) {
				return
			}
		}
	}
}

// pageAfter returns up to n objects of a listing: those after the key after in the listing's order,
// which is not the order of the keys' bytes on every store. If the key is not listed, they are
// those with greater keys, and the listing is read to its end.
func pageAfter(listing iter.Seq2[objstore.Object, error], after string, n int) (page []objstore.Object, err error) {
	met := after == ""
	for o, err := range listing {
		switch {
		case err != nil:
			return nil, err
		case o.Key == after:
			met, page = true, nil
		case len(page) < n && (met || o.Key > after):
			page = append(page, o)
		}
		if met && len(page) == n {
			break
		}
	}
	return page, nil
}
