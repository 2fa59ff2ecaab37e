package builtin

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

func TestAggregate(t *testing.T) {
	const text = "a\t1\t5\t9\r\nb\t-3\t7\n\na\t2\t-5\t8\tmore\nb\tx\t1\nonly\nb\t4\nb\t9223372036854775808\t1\n\t1\t1"
	for ops, want := range map[string][]string{
		"sum":               {"\t1", "a\t3", "b\t1"},
		"sum,min":           {"\t1\t1", "a\t3\t-5", "b\t-3\t7"},
		"count,max, count":  {"\t1\t1\t1", "a\t2\t2\t2", "b\t2\t4\t2"},
		"min,max,sum,count": {"a\t1\t5\t17\t2"},
	} {
		for _, size := range oddSizes {
			if got := programtest.Run(t, open(t, "aggregate", "ops", ops), programtest.Lines("f", text, size)); !slices.Equal(got, want) {
				t.Errorf("ops=%s, batches of %d: want %q, have %q", ops, size, want, got)
			}
		}
	}
	_, err := programtest.MapAll(t, open(t, "aggregate", "strict", "true"), programtest.Attempt(t), programtest.Lines("f", text, 1))
	if user := programtest.WantUserError(t, err); user.Record == nil || user.Record.Value != `"b\tx\t1"` {
		t.Errorf("%v", err)
	}
	_, err = table.Open(program.Config{}, program.Spec{Kind: "builtin", Name: "aggregate", Params: map[string]string{"ops": "sum,avg"}}, "")
	if err == nil || !strings.Contains(err.Error(), `"avg"`) {
		t.Errorf("%v", err)
	}
}

func TestParseInt(t *testing.T) {
	for _, s := range []string{
		"", "-", "+", "0", "-0", "+7", "12a", "1_0", "99999999999999999999",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		strconv.FormatUint(math.MaxUint64, 10), "18446744073709551616",
	} {
		want, err := strconv.ParseInt(s, 10, 64)
		if got, ok := parseInt([]byte(s)); ok != (err == nil) || ok && got != want {
			t.Errorf("%q: want %d, %v, have %d, %v", s, want, err, got, ok)
		}
	}
}
