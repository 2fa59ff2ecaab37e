package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// willRead tells the system which bytes of a file will be read soon, so that the disk can start at
// once. Errors are ignored: some file systems don't take such advice.
func willRead(f *os.File, offset, n int64) {
	_ = unix.Fadvise(int(f.Fd()), offset, n, unix.FADV_WILLNEED)
}
