package server

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
)

// listed are the parameters that may be given more than once.
var listed = []string{"state"}

// checkQuery refuses a query that the route would not understand: with a parameter that it does not
// have, that is given twice, or that is malformed.
func checkQuery(raw string, taken []string) error {
	seen := map[string]bool{}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		escapedName, escaped, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(escapedName)
		if err != nil || !utf8.ValidString(name) {
			return invalidQuery(escapedName, "the name is malformed")
		}
		value, err := url.QueryUnescape(escaped)
		switch {
		case strings.Contains(pair, ";"):
			return invalidQuery(name, "a semicolon is written %%3B; parameters are separated by &")
		case err != nil:
			return invalidQuery(name, "%w: a percent sign is written %%25", err)
		case utf8.RuneCountInString(value) > maxText:
			return invalidQuery(name, "the value has more than %d characters", maxText)
		case !utf8.ValidString(value):
			return invalidQuery(name, "the value is not UTF-8")
		case !slices.Contains(taken, name):
			return invalidQuery(name, "there is no such parameter%s", takes(taken))
		case seen[name] && !slices.Contains(listed, name):
			return invalidQuery(name, "it is given twice")
		}
		seen[name] = true
	}
	return nil
}

// takes lists the parameters of a route in words.
func takes(taken []string) string {
	if len(taken) == 0 {
		return ": this request has none"
	}
	return ": there are " + strings.Join(taken, ", ")
}

// invalidQuery is the problem of one parameter.
func invalidQuery(name, format string, args ...any) *api.Problem {
	return newProblem(api.CodeInvalidQuery, "query parameter %.80q: "+format, append([]any{name}, args...)...)
}

// maxText is the longest value of a parameter, in characters. A key has at most as many bytes.
const maxText = 1024

// intParam reads a query parameter that is a number from low to high.
func intParam(c echo.Context, name string, byDefault, low, high int) (int, error) {
	if !c.QueryParams().Has(name) {
		return byDefault, nil
	}
	text := c.QueryParam(name)
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high || strconv.Itoa(n) != text {
		return 0, invalidQuery(name, "%.40q must be a whole number from %d to %d", text, low, high)
	}
	return n, nil
}

// enumParam reads a query parameter that must be one of some values. It returns "" if the parameter
// is not given.
func enumParam(c echo.Context, name string, values ...string) (string, error) {
	if !c.QueryParams().Has(name) {
		return "", nil
	}
	text := c.QueryParam(name)
	if !slices.Contains(values, text) {
		return "", invalidQuery(name, "%.40q must be %s", text, strings.Join(values, " or "))
	}
	return text, nil
}
