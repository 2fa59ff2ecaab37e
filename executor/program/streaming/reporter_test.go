package streaming

import (
	"reflect"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

func TestReporterLines(t *testing.T) {
	script := `
echo reporter:counter:words,odd ones,3 >&2
echo reporter:counter:words,odd ones,-1 >&2
echo 'reporter:counter:a,b, 5' >&2
echo reporter:counter:a,b >&2
echo reporter:counter:a,b,1,2 >&2
echo reporter:nonsense >&2
echo reporter:status: half way >&2
echo ' reporter:counter:a,b,5' >&2
printf reporter:counter:last,one,9223372036854775807 >&2
`
	p := openCommands(t, program.Commands{Mapper: "sh -c '" + strings.ReplaceAll(script, "'", `"`) + "'"})
	a := programtest.Attempt(t)
	log := &strings.Builder{}
	a.Log = log
	moves := 0
	a.Progressed = func() { moves++ } // only standard error's goroutine calls it, since nothing is printed
	m, err := p.NewMapper(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	if err := m.Close(programtest.Discard()); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"words,odd ones": 2, "last,one": 1<<63 - 1}
	if got := m.(program.Counting).Counters(); !reflect.DeepEqual(got, want) {
		t.Errorf("want %v, have %v", want, got)
	}
	wantLog := `[not understood] reporter:counter:a,b, 5
[not understood] reporter:counter:a,b
[not understood] reporter:counter:a,b,1,2
[not understood] reporter:nonsense
status: half way
 reporter:counter:a,b,5
`
	if log.String() != wantLog || moves != 9 {
		t.Errorf("%d moves, log %s", moves, log)
	}
}

func TestReporterPrefix(t *testing.T) {
	p := openCommands(t, program.Commands{Mapper: `sh -c 'echo my:counter:g,n,1 >&2; echo reporter:counter:g,n,1 >&2'`}, paramReporterPrefix, "my:")
	m, err := p.NewMapper(t.Context(), programtest.Attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	if err := m.Close(programtest.Discard()); err != nil {
		t.Fatal(err)
	}
	if got := m.(program.Counting).Counters(); !reflect.DeepEqual(got, map[string]int64{"g,n": 1}) {
		t.Error(got)
	}
}

func TestTooManyCounters(t *testing.T) {
	p := openCommands(t, program.Commands{Mapper: `awk 'BEGIN { for (i = 0; i < 1001; i++) print "reporter:counter:g," i ",1" > "/dev/stderr" }'`})
	_, err := programtest.MapAll(t, p, programtest.Attempt(t), nil)
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, "more than 1000 different counters") {
		t.Error(user)
	}
}

func TestCountersBeyond64Bits(t *testing.T) {
	p := openCommands(t, program.Commands{Mapper: `sh -c 'echo reporter:counter:g,n,9223372036854775807 >&2; echo reporter:counter:g,n,1 >&2'`})
	_, err := programtest.MapAll(t, p, programtest.Attempt(t), nil)
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, `the counter "g,n" is beyond 64 bits`) {
		t.Error(user)
	}
}
