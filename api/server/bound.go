package server

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// How long a detail may be: the text that it repeats from a request, in characters, and all of it,
// in bytes of JSON.
const (
	maxEcho   = 150
	maxDetail = 2 << 10
)

// echoed finds what most likely repeats a request: text in quotes, and long text without a blank.
var echoed = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[^\s"]{100,}`)

// bound shortens a detail that repeats a long request, so that the answer is not as long.
func bound(detail string) string {
	if len(detail) > 8*maxDetail { // its end says what is wrong
		detail = detail[:4*maxDetail] + detail[len(detail)-maxDetail:]
	}
	detail = echoed.ReplaceAllStringFunc(strings.ToValidUTF8(detail, "\uFFFD"), func(text string) string {
		if utf8.RuneCountInString(text) <= maxEcho {
			return text
		}
		short := strings.TrimSuffix(string([]rune(text)[:maxEcho]), `\`) + "…"
		if text[0] == '"' {
			short += `"`
		}
		return short
	})
	for end := maxDetail; ; end /= 2 {
		short := detail
		if len(detail) > end {
			short = strings.ToValidUTF8(detail[:end], "") + "…"
		}
		if written, err := json.Marshal(short); err != nil || len(written) <= maxDetail+len(`"…"`) {
			return short
		}
	}
}
