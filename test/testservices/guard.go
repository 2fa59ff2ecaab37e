package testservices

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// guardScript reads process ids, of which the last one counts and an empty line means none,
// until the writer closes the pipe or dies. Then it kills that process and removes the folder.
// An interrupt from the terminal must not end it before the server.
const guardScript = `
trap '' HUP INT TERM
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then kill -KILL "$pid"; fi
rm -rf "$1"
`

// A guard is the shell that cleans up after the test binary.
type guard struct {
	shell *exec.Cmd
	pipe  io.WriteCloser
}

// newGuard starts a guard of a server's folder.
func newGuard(dir string) (*guard, error) {
	shell := exec.Command("/bin/sh", "-c", guardScript, "sh", dir)
	pipe, err := shell.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := shell.Start(); err != nil {
		return nil, fmt.Errorf("start the guard of a test server: %w", err)
	}
	return &guard{shell: shell, pipe: pipe}, nil
}

// watch names the process to kill.
func (g *guard) watch(pid int) error {
	_, err := fmt.Fprintln(g.pipe, pid)
	return err
}

// release forgets the process, which was waited for: its id may soon be another's.
func (g *guard) release() error {
	_, err := fmt.Fprintln(g.pipe)
	return err
}

// close makes the guard clean up now, and waits for it.
func (g *guard) close() error {
	return errors.Join(g.pipe.Close(), g.shell.Wait())
}
