package program

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestScratchThatCannotBeWrittenToIsRemoved(t *testing.T) {
	parent := t.TempDir()
	for folder := parent; folder != os.TempDir(); folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	asNobody(func() {
		scratch := filepath.Join(parent, "scratch")
		deep := filepath.Join(scratch, "closed", "deep")
		if err := os.MkdirAll(deep, 0o700); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(deep, "file"), nil, 0o400); err != nil {
			t.Error(err)
		}
		// The outer one last: it is closed then.
		if err := errors.Join(os.Chmod(deep, 0o500), os.Chmod(filepath.Dir(deep), 0)); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(scratch); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("want a folder that is hard to remove, have %v", err)
		}
		if err := RemoveScratch(scratch); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(scratch); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
		if err := RemoveScratch(scratch); err != nil {
			t.Errorf("what is not there: %v", err)
		}
	})
}

// asNobody has f use the file system without the superuser's rights.
func asNobody(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if os.Getuid() == 0 {
			_ = unix.Setfsuid(65534) // it never fails where one may
		}
		f()
	}()
	<-done
}
