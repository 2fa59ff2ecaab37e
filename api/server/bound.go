package server

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// How long a detail may be: what it repeats of a request, in characters, and all of it, in bytes of JSON.
const (
	maxEcho   = 150
	maxDetail = 2 << 10
)

// echoed is what repeats a request, most likely: text in quotes, and anything long without a blank.
var echoed = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[^\s"]{100,}`)

// bound shortens a detail in which a long request is repeated, so that an answer is not as long.
func bound(detail string) string {
	if len(detail) > 8*maxDetail { // what stands at its end says what is wrong
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
