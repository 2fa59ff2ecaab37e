package process

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
			t.Errorf("a folder that does not exist: %v", err)
		}
	})
}

// A folder that looks like a scratch folder, but is another user's or a link, stays, and prevents
// no start.
func TestScratchOfOthersStays(t *testing.T) {
	parent := t.TempDir()
	for folder := parent; folder != os.TempDir(); folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	make := func(name string) string {
		folder := filepath.Join(parent, name)
		for _, name := range []string{"file", scratchLock} {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Error(err)
			}
			if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o666); err != nil {
				t.Error(err)
			}
			if err := os.Chmod(filepath.Join(folder, name), 0o666); err != nil {
				t.Error(err)
			}
		}
		return folder
	}
	elsewhere := make("elsewhere")
	if err := os.Symlink(elsewhere, filepath.Join(parent, "bucketmill-link")); err != nil {
		t.Fatal(err)
	}
	// Its lock is a link to a file that must not change.
	linked := make("bucketmill-linked")
	if err := errors.Join(os.Remove(filepath.Join(linked, scratchLock)), os.Symlink(filepath.Join(elsewhere, scratchLock), filepath.Join(linked, scratchLock))); err != nil {
		t.Fatal(err)
	}
	kept := []string{elsewhere, filepath.Join(parent, "bucketmill-link"), linked}
	if os.Getuid() == 0 { // only the superuser can make a folder of another user
		kept = append(kept, "")
		asNobody(func() { kept[len(kept)-1] = make("bucketmill-other") })
	}
	dead := make("bucketmill-dead")
	scratch, err := MakeScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	if scratch.Left != nil {
		t.Error(scratch.Left)
	}
	for _, path := range kept {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(path, "file")); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was our own is still there: %v", err)
	}
	if err := scratch.Remove(); err != nil {
		t.Error(err)
	}
}

// A leftover scratch folder that can't be removed prevents no start.
func TestScratchThatCannotBeReclaimedIsAWarning(t *testing.T) {
	parent := t.TempDir()
	for folder := parent; folder != os.TempDir(); folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	dead := filepath.Join(parent, "bucketmill-dead")
	if err := errors.Join(os.Mkdir(dead, 0o700), os.WriteFile(filepath.Join(dead, scratchLock), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	// A mounted file system cannot be removed.
	mount := filepath.Join(dead, "mount")
	if err := os.Mkdir(mount, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", mount, "tmpfs", 0, ""); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	})
	scratch, err := MakeScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	if scratch.Left == nil {
		t.Error("nothing is said of what stays")
	}
	if err := scratch.Remove(); err != nil {
		t.Error(err)
	}
}

// asNobody calls f without the superuser's rights on file systems.
func asNobody(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if os.Getuid() == 0 {
			_ = unix.Setfsuid(65534) // it can't fail with the right to do it
		}
		f()
	}()
	<-done
}
