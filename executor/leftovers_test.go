package executor

import (
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A folder that can't be removed at first, here because of a mount in it, is removed later.
func TestLeftoversAreClearedLater(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "attempt")
	mount := filepath.Join(folder, "busy")
	if err := os.MkdirAll(mount, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount a small disk on %s: %v (this test must run as root, with CAP_SYS_ADMIN in a container)", mount, err)
	}
	mounted := true
	t.Cleanup(func() {
		if mounted {
			_ = syscall.Unmount(mount, syscall.MNT_DETACH)
		}
	})
	l := &leftovers{log: slog.New(slog.DiscardHandler)}
	l.clear(folder)
	l.clearAgain()
	if _, err := os.Stat(folder); err != nil || len(l.folders) != 1 {
		t.Fatalf("a folder that can't be removed is forgotten: %v, %v", l.folders, err)
	}
	if err := syscall.Unmount(mount, 0); err != nil {
		t.Fatal(err)
	}
	mounted = false
	l.clearAgain()
	if _, err := os.Stat(folder); !os.IsNotExist(err) || len(l.folders) != 0 {
		t.Errorf("the folder is still there: %v, %v", l.folders, err)
	}
}
