package streaming

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

// Arguments and variables that the kernel does not pass to a process are refused before a process
// starts.
func TestCommandsThatAreTooLarge(t *testing.T) {
	fits := program.Spec{Kind: Name, Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{"BIG": strings.Repeat("x", mostVariable)}}
	p, err := table.Open(program.Config{}, fits, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "to\nbe\n", 9)); err != nil || len(got) == 0 {
		t.Errorf("got %q, %v", got, err)
	}
	many := map[string]string{}
	for _, name := range strings.Split("abcdefghijk", "") {
		many[name] = strings.Repeat("x", mostVariable-1<<10)
	}
	for what, spec := range map[string]program.Spec{
		"one parameter":           {Kind: Name, Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{"BIG": strings.Repeat("x", 300_000)}},
		"one with a point":        {Kind: Name, Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{"a.b": strings.Repeat("x", 300_000)}},
		"parameters all together": {Kind: Name, Commands: program.Commands{Mapper: "cat"}, Params: many},
		"an argument":             {Kind: Name, Commands: program.Commands{Mapper: "echo " + strings.Repeat("x", 300_000)}},
		"a reducer's arguments":   {Kind: Name, Commands: program.Commands{Mapper: "cat", Reducer: "echo" + strings.Repeat(" xxxxxxx", 300_000)}},
	} {
		if _, err := table.Open(program.Config{}, spec, ""); err == nil || !strings.Contains(err.Error(), "--program-file") {
			t.Errorf("%s: %.200v", what, err)
		}
	}
}

// If the kernel takes less than we assume, the program is at fault.
func TestTooLargeForTheKernelIsTheProgramsFault(t *testing.T) {
	p, err := open(program.Config{}, program.Spec{Kind: Name, Commands: program.Commands{Mapper: "cat"}})
	if err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, "BIG="+strings.Repeat("x", 300_000))
	_, err = programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "to\nbe\n", 9))
	var user *program.UserError
	if !errors.As(err, &user) || !user.Final || !errors.Is(err, syscall.E2BIG) {
		t.Errorf("%v", err)
	}
}
