package testservices

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// guardScript reads process ids until the writer closes the pipe or dies. Then it kills the last of
// these processes (none after an empty line) and removes the folder. An interrupt from the terminal
// must not end the script before the server.
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

// newGuard starts a guard for a server's folder.
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

// watch tells the guard which process to kill.
func (g *guard) watch(pid int) error {
	_, err := fmt.Fprintln(g.pipe, pid)
	return err
}

// release makes the guard forget the process, which has ended: another process may soon have its
// id.
func (g *guard) release() error {
	_, err := fmt.Fprintln(g.pipe)
	return err
}

// close makes the guard clean up now, and waits for it.
func (g *guard) close() error {
	return errors.Join(g.pipe.Close(), g.shell.Wait())
}
