package python

import (
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

// Python's counters have the same limits as those of commands, in number and length: all of a job's
// are in Redis.
func TestPythonCountersAreBounded(t *testing.T) {
	const count = "    for i in range(%N): COUNTERS['%L%d' % i] += 1\n"
	const inMap = "def map_fn(value):\n" + count + "    yield value, 1\ndef reduce_fn(key, values): return 1\n"
	const inReduce = "def map_fn(value): yield value, 1\ndef reduce_fn(key, values):\n" + count + "    yield 1\n"
	for name, c := range map[string]struct{ n, name, want string }{
		"a thousand":     {"1000", strings.Repeat("x", 250), ""},
		"one more":       {"1001", "c", "it has 1001 different counters; at most 1000 are allowed"},
		"many":           {"100000", strings.Repeat("x", 100), "its counters have"},
		"long names":     {"10", strings.Repeat("x", 256), "longer than 256 bytes"},
		"of odd bytes":   {"1000", strings.Repeat("\u00e9", 120), ""},
		"one name, huge": {"1", strings.Repeat("x", 4_000_000), "its counters have"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, source := range []string{inMap, inReduce} {
				p := openSource(t, strings.NewReplacer("%N", c.n, "%L", c.name).Replace(source), nil)
				records, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "x\n", 9))
				if err == nil {
					_, err = programtest.ReduceAll(t, p, programtest.Attempt(t), records, 1)
				}
				if c.want == "" {
					if err != nil {
						t.Error(err)
					}
				} else if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, c.want) {
					t.Error(err)
				}
			}
		})
	}
}

func TestPythonCountersBeyond64Bits(t *testing.T) {
	p := openSource(t, "def map_fn(k, v):\n    COUNTERS['n'] += 2**62\n    COUNTERS['n'] += 2**62\n", nil)
	_, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "x\n", 10))
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, "the counter 'n' is beyond 64 bits: 9223372036854775808") {
		t.Error(user)
	}
}
