package program

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// What the kernel does not pass on to a process is refused before one is started.
func TestCommandsThatAreTooLarge(t *testing.T) {
	fits := Spec{Kind: Stream, Commands: Commands{Mapper: "cat"}, Params: map[string]string{"BIG": strings.Repeat("x", mostVariable)}}
	p, err := Open(Config{}, fits, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := mapAll(t, p, attempt(t), lines("f", "to\nbe\n", 9)); err != nil || len(got) == 0 {
		t.Errorf("got %q, %v", got, err)
	}
	many := map[string]string{}
	for _, name := range strings.Split("abcdefghijk", "") {
		many[name] = strings.Repeat("x", mostVariable-1<<10)
	}
	for what, spec := range map[string]Spec{
		"one parameter":           {Kind: Stream, Commands: Commands{Mapper: "cat"}, Params: map[string]string{"BIG": strings.Repeat("x", 300_000)}},
		"one with a point":        {Kind: Stream, Commands: Commands{Mapper: "cat"}, Params: map[string]string{"a.b": strings.Repeat("x", 300_000)}},
		"parameters all together": {Kind: Stream, Commands: Commands{Mapper: "cat"}, Params: many},
		"an argument":             {Kind: Stream, Commands: Commands{Mapper: "echo " + strings.Repeat("x", 300_000)}},
		"a reducer's arguments":   {Kind: Stream, Commands: Commands{Mapper: "cat", Reducer: "echo" + strings.Repeat(" xxxxxxx", 300_000)}},
	} {
		if _, err := Open(Config{}, spec, ""); err == nil || !strings.Contains(err.Error(), "--program-file") {
			t.Errorf("%s: %.200v", what, err)
		}
	}
}

// Where the kernel takes less than we thought, the program is at fault.
func TestTooLargeForTheKernelIsTheProgramsFault(t *testing.T) {
	p, err := openStreaming(Config{}.withDefaults(), Spec{Kind: Stream, Commands: Commands{Mapper: "cat"}})
	if err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, "BIG="+strings.Repeat("x", 300_000))
	_, err = mapAll(t, p, attempt(t), lines("f", "to\nbe\n", 9))
	var user *UserError
	if !errors.As(err, &user) || !user.Final || !errors.Is(err, syscall.E2BIG) {
		t.Errorf("%v", err)
	}
}
