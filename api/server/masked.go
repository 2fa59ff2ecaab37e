package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/state"
)

// masked replaces what a caller may not see.
const masked = "***"

// secretWords are in the names of secret parameters; parameters whose names end with "_key" are
// secret, too.
var secretWords = []string{
	"password", "passwd", "pwd", "passphrase", "secret", "token", "credential", "authorization", "apikey", "api_key", "access_key", "private_key",
}

// passwordInURL finds a password in a URL, such as postgres://user:secret@host/db.
var passwordInURL = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@]*:[^/?#\s]*@`)

// secretName reports whether the value of a parameter with that name must be masked.
func secretName(name string) bool {
	name = strings.NewReplacer("-", "_", ".", "_", " ", "_").Replace(strings.ToLower(name))
	return strings.HasSuffix(name, "_key") || slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// shownSpec is a job's spec as the caller may see it. Admins and the submitter of the job see all
// of it. For others, parameters are masked if their names say that they are secret or if their
// values contain a URL with a password, and so is the webhook's URL except its host.
func shownSpec(job state.Job, who caller) (json.RawMessage, error) {
	if who.role >= RoleAdmin || job.SubmittedBy != "" && job.SubmittedBy == who.name {
		return job.Spec, nil
	}
	spec, err := specOf(job)
	if err != nil {
		return nil, err
	}
	changed := false
	for name, value := range spec.Params {
		if secretName(name) || passwordInURL.MatchString(value) {
			spec.Params[name], changed = masked, true
		}
	}
	if spec.Webhook != "" {
		spec.Webhook, changed = shownWebhook(spec.Webhook), true
	}
	if !changed {
		return job.Spec, nil
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode the spec of %s: %w", job.ID, err)
	}
	return text, nil
}

func shownWebhook(webhook string) string {
	u, err := url.Parse(webhook)
	if err != nil || u.Host == "" {
		return masked
	}
	return u.Scheme + "://" + u.Host + "/" + masked
}
