package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// willRead tells the system which bytes of a file are wanted soon, so that a disk is already at
// work when they are read. A file system that can't do it may say so: it is only advice.
func willRead(f *os.File, offset, n int64) {
	_ = unix.Fadvise(int(f.Fd()), offset, n, unix.FADV_WILLNEED)
}
