package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// places decides which locations clients may name.
type places struct {
	allow []objstore.URL // empty: every s3 URL
	files bool
	work  objstore.URL // a folder
}

func newPlaces(allow []string, files bool, work string) (*places, error) {
	p := &places{files: files}
	for _, location := range allow {
		u, err := parseLocation(location)
		if err != nil {
			return nil, fmt.Errorf("allow-list: %w", err)
		}
		p.allow = append(p.allow, u)
	}
	var err error
	if p.work, err = objstore.ParseURL(work); err != nil {
		return nil, fmt.Errorf("work store: %w", err)
	}
	return p, nil
}

// parseLocation is objstore.ParseURL without plain paths, which would depend on the server's
// working folder.
func parseLocation(location string) (objstore.URL, error) {
	if !strings.Contains(location, "://") {
		return objstore.URL{}, objstore.Invalidf("%q is not a URL", location)
	}
	return objstore.ParseURL(location)
}

// readable checks that the caller may read a location: an object, a prefix or a glob.
func (p *places) readable(location string, who caller) (objstore.URL, error) {
	u, err := p.named(location)
	if err != nil {
		return objstore.URL{}, err
	}
	if p.reserved(u) {
		if who.role >= RoleAdmin {
			return u, nil
		}
		return objstore.URL{}, newProblem(api.CodeNotAllowed, "%s belongs to Bucketmill itself: reading it requires the role admin", u)
	}
	return u, p.allowed(u)
}

// writable checks that a client may write to a location or, if longest > 0, that a job may write
// objects below it with names of up to longest bytes.
func (p *places) writable(location string, longest int) (objstore.URL, error) {
	u, err := p.named(location)
	if err != nil {
		return objstore.URL{}, err
	}
	if err := u.CheckOutput(longest); err != nil {
		return objstore.URL{}, newProblem(api.CodeInvalidLocation, "%w", err)
	}
	if p.reserved(u) {
		return objstore.URL{}, newProblem(api.CodeNotAllowed, "%s belongs to Bucketmill itself", u)
	}
	return u, p.allowed(u)
}

// checkJob checks the locations that a job reads and writes, and rewrites them in their one form.
func (p *places) checkJob(spec *job.Spec, who caller) error {
	for i, in := range spec.Input {
		u, err := p.readable(in.URL, who)
		if err != nil {
			return err
		}
		spec.Input[i].URL = u.String()
	}
	u, err := p.writable(spec.Output, layout.LongestName)
	if err != nil {
		return err
	}
	spec.Output = u.String()
	return nil
}

func (p *places) named(location string) (objstore.URL, error) {
	u, err := parseLocation(location)
	if err != nil {
		if errors.Is(err, objstore.ErrInvalid) {
			return u, newProblem(api.CodeInvalidLocation, "%w", err)
		}
		return u, err
	}
	if u.Scheme == "file" && !p.files {
		return u, newProblem(api.CodeNotAllowed, "%s: this server does not open files", u)
	}
	return u, nil
}

func (p *places) allowed(u objstore.URL) error {
	if len(p.allow) == 0 {
		return nil
	}
	for _, place := range p.allow {
		if within(u, place) {
			return nil
		}
	}
	return newProblem(api.CodeNotAllowed, "%s is not in the allow-list of this server", u)
}

// reserved reports whether everything that u names is among the objects that Bucketmill keeps for
// itself on the work store.
func (p *places) reserved(u objstore.URL) bool {
	area := layout.Layout{Prefix: strings.Trim(p.work.Key, "/")}
	return u.Scheme == p.work.Scheme && u.Bucket == p.work.Bucket && area.Owned(u.Key) != ""
}

// listed reports whether the listing of a location that the caller may read shows an object: the
// object is in the allow-list, and does not belong to Bucketmill itself unless the location does.
func (p *places) listed(location, object objstore.URL) bool {
	return p.allowed(object) == nil && (!p.reserved(object) || p.reserved(location))
}

// within reports whether everything that u names, as an object, prefix or glob, is the place or
// below it.
func within(u, place objstore.URL) bool {
	if u.Scheme != place.Scheme || u.Bucket != place.Bucket {
		return false
	}
	folder := strings.TrimSuffix(place.Key, "/")
	if folder == "" {
		return true
	}
	key := u.Key
	if i := strings.IndexAny(key, `*?[{\`); i >= 0 {
		key = key[:i] // the common prefix of the glob's matches
		return strings.HasPrefix(key, folder+"/")
	}
	return strings.TrimSuffix(key, "/") == folder || strings.HasPrefix(key, folder+"/")
}

// shows reports whether a bucket is listed for a caller: it contains a location that clients may
// name, and does not belong to Bucketmill itself as a whole.
func (p *places) shows(bucket string, who caller) bool {
	if p.work.Scheme == "s3" && p.work.Bucket == bucket && p.work.Key == "" && who.role < RoleAdmin {
		return false
	}
	return len(p.allow) == 0 || slices.ContainsFunc(p.allow, func(place objstore.URL) bool {
		return place.Scheme == "s3" && place.Bucket == bucket
	})
}
