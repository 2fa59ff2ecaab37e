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

// watcher is a process that outlives ours, to clear away what that leaves.
type watcher struct {
	cmd *exec.Cmd
	end io.Closer // nobody else has it: the kernel closes it when we die
}

// Watch has a process of its own wait for the end of this one, however it comes, and then end what programs
// have left running in the folder, and remove it. It gets nothing of our environment. The kernel ends a killed process's children for it, but not
// theirs. Args are those that make this binary call Reclaim on its standard input and on the folder, which
// follows them. Whatever happens to the watcher, the next MakeScratch beside the folder does the same.
func (s *Scratch) Watch(args ...string) error {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("watch the scratch folder: %w", err)
	}
	cmd := exec.Command("/proc/self/exe", append(args, s.Folder)...)
	cmd.Stdin, cmd.Dir = theirs, "/"
	cmd.Env = []string{"GOMAXPROCS=1"}                   // of ours it needs nothing, and programs may find a way to read it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it is not for the terminal to end
	err = errors.Join(cmd.Start(), theirs.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("watch the scratch folder: %w", err), ours.Close())
	}
	s.watcher = &watcher{cmd: cmd, end: ours}
	return nil
}

// leave ends the watcher, which finds nothing to do.
func (w *watcher) leave() error {
	if w == nil {
		return nil
	}
	return errors.Join(w.end.Close(), w.cmd.Wait())
}

// Reclaim waits for the end of input, which the owner of a scratch folder keeps open as long as it lives. It then
// ends what runs in the folder and removes it, unless another process is at that or the owner has done it.
func Reclaim(input io.Reader, folder string) error {
	if _, err := io.Copy(io.Discard, input); err != nil {
		return fmt.Errorf("wait for the owner of %s: %w", folder, err)
	}
	// The kernel closes a dying process's files one after the other, and the lock may be the last.
	for began := time.Now(); time.Since(began) < time.Second; time.Sleep(10 * time.Millisecond) {
		if done, err := reclaim(folder); done {
			return err
		}
	}
	return nil
}
