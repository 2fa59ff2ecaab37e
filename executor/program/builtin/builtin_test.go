package builtin

import (
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
)

func TestUnknownParamsAreNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		params map[string]string
		want   string
	}{
		{"wordcount", map[string]string{"lowr": "true"}, "does not know the parameter lowr: it has letters, lower; did you mean lower?"},
		{"sort", map[string]string{"b": "", "a": ""}, "does not know the parameters a, b: it has none"},
		{"wordcount", map[string]string{"lower": "maybe"}, `parameter lower="maybe": want true or false`},
		{"activity", map[string]string{"by": "week"}, "user, action, day, hour"},
		{"no such", nil, "no program"},
	} {
		_, err := table.Open(program.Config{}, program.Spec{Kind: "builtin", Name: c.name, Params: c.params}, "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: want %q, have %v", c.name, c.params, c.want, err)
		}
	}
}

func TestBuiltinsAreDescribed(t *testing.T) {
	infos := All()
	if !slices.IsSortedFunc(infos, func(a, b program.Info) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("builtins are not sorted by name")
	}
	for _, info := range infos {
		if info.Summary == "" || strings.Contains(info.Summary, "\n") {
			t.Errorf("%s: summary %q", info.Name, info.Summary)
		}
		for _, p := range info.Params {
			if p.Summary == "" {
				t.Errorf("%s: parameter %s has no summary", info.Name, p.Name)
			}
		}
	}
}
