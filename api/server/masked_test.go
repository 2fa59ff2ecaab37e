package server_test

import (
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
)

// Only admins and the submitter see the secrets in a job's spec.
func TestSecretsOfSpecsAreMasked(t *testing.T) {
	tokens, err := server.ParseTokens("ann admin " + server.HashToken("a") + "\nbob submit " + server.HashToken("b") + "\ncid read " + server.HashToken("c") + "\ndan submit " + server.HashToken("d"))
	must(t, err)
	s := serve(t, func(c *server.Config) {
		c.Tokens = tokens
		c.Kinds = job.Kinds{{Name: "builtin"}} // with any parameters
	})
	spec := `{"program":"wordcount","input":["s3://inbox/x"],"output":"s3://outbox/wc","webhook":"https://hooks.example/a/b?token=T0PSECRET",
		"params":{"DB_PASSWORD":"hunter2","api-key":"hunter2","AWS_SECRET_ACCESS_KEY":"hunter2","github.token":"hunter2","pwd":"hunter2","dsn":"postgres://u:hunter2@h/d","column":"visible","monkey":"visible"}}`
	id := "/v1/jobs/" + string(s.submit(spec, "Authorization: Bearer b"))
	for token, whole := range map[string]bool{"a": true, "b": true, "c": false, "d": false} {
		text := string(s.ask("GET", id, "", "Authorization: Bearer "+token).body)
		if got := strings.Contains(text, "hunter2") && strings.Contains(text, "T0PSECRET"); got != whole {
			t.Errorf("token %s: %s", token, text)
		}
		if !whole && (strings.Contains(text, "hunter2") || strings.Contains(text, "T0PSECRET") || !strings.Contains(text, "https://hooks.example/***") || strings.Count(text, `"visible"`) != 2) {
			t.Errorf("token %s: %s", token, text)
		}
	}
	if text := string(s.ask("POST", id+"/cancel", "", "Authorization: Bearer d").body); strings.Contains(text, "hunter2") || strings.Contains(text, "T0PSECRET") {
		t.Errorf("who cancels it sees %s", text)
	}
}

// Names and outputs that would change how a terminal or a page shows them are refused.
func TestNamesThatPretend(t *testing.T) {
	s := serve(t, nil)
	for _, odd := range []string{`\u001b[2J`, `\u0007`, `\u202e`, `\u2066`, `\u200b`, `\ufeff`, `\u2028`, `\u0085`, `\u00ad`} {
		s.refused(api.CodeInvalidSpec, "POST", "/v1/jobs", strings.Replace(wordcount, `"wc"`, `"w`+odd+`c"`, 1))
		s.refused(api.CodeInvalidLocation, "POST", "/v1/jobs", strings.Replace(wordcount, "s3://outbox/wc", "s3://outbox/w"+odd+"c", 1))
	}
	s.submit(strings.Replace(wordcount, `"wc"`, `"größe 👩\u200d🚀 می\u200cخواهم"`, 1))
}
