package chaos

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// diskSize is the size of the small disk: enough for the spills of two attempts.
const diskSize = "64m"

// unmountScript waits until its input ends, which happens when the test ends or dies.
const unmountScript = `trap '' HUP INT TERM; read -r _; umount -l "$1"`

// mountDisk gives the cluster a small disk, which is unmounted when the test ends.
func (c *cluster) mountDisk() {
	c.t.Helper()
	folder := filepath.Join(c.folder, "small-disk")
	if err := os.Mkdir(folder, 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+diskSize); err != nil {
		c.t.Fatalf("mount a small disk, which takes root (without: -no-tmpfs, or make chaos FLAGS=-no-tmpfs): %v", err)
	}
	guard := exec.Command("/bin/sh", "-c", unmountScript, "sh", folder)
	pipe, err := guard.StdinPipe()
	if err == nil {
		err = guard.Start()
	}
	if err != nil {
		c.t.Fatal(fmt.Errorf("start what unmounts %s: %w", folder, err))
	}
	c.unmount = func() error { return endGuard(pipe, guard) }
	c.disk = folder
}

func endGuard(pipe io.Closer, guard *exec.Cmd) error {
	if err := pipe.Close(); err != nil {
		return err
	}
	return guard.Wait()
}
