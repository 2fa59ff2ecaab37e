package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// watcher is a process that outlives ours, and removes what ours leaves.
type watcher struct {
	cmd *exec.Cmd
	end io.Closer // no other process has it, so the kernel closes it when ours dies
}

// Watch starts a watcher: a process that waits for the end of ours, however it ends, then ends what
// programs have left running in the folder, and removes the folder. The kernel ends the children of
// a killed process, but not the children's children. With the arguments args and the folder, this
// binary must call Reclaim with its standard input and the folder. The watcher gets nothing of our
// environment. If the watcher fails, the next MakeScratch in the same parent does its work.
func (s *Scratch) Watch(args ...string) error {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("watch the scratch folder: %w", err)
	}
	cmd := exec.Command("/proc/self/exe", append(args, s.Folder)...)
	cmd.Stdin, cmd.Dir = theirs, "/"
	cmd.Env = []string{"GOMAXPROCS=1"}                   // it needs nothing of ours, which programs might find a way to read
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // so the terminal does not end it
	err = errors.Join(cmd.Start(), theirs.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("watch the scratch folder: %w", err), ours.Close())
	}
	s.watcher = &watcher{cmd: cmd, end: ours}
	return nil
}

// leave ends the watcher, which has nothing to do.
func (w *watcher) leave() error {
	if w == nil {
		return nil
	}
	return errors.Join(w.end.Close(), w.cmd.Wait())
}

// Reclaim waits for the end of input, which the owner of a scratch folder keeps open while it
// lives. It then ends what runs in the folder and removes the folder, unless another process does
// it or the owner has done it.
func Reclaim(input io.Reader, folder string) error {
	if _, err := io.Copy(io.Discard, input); err != nil {
		return fmt.Errorf("wait for the owner of %s: %w", folder, err)
	}
	// The kernel closes a dying process's files one by one, and the lock may be the last.
	for began := time.Now(); time.Since(began) < time.Second; time.Sleep(10 * time.Millisecond) {
		if done, err := reclaim(folder); done {
			return err
		}
	}
	return nil
}
