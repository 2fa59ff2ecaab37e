package file

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestDiskFull writes to a device that is always full.
func TestDiskFull(t *testing.T) {
	for _, size := range []int{10, 2 * writeBuffer} {
		root := t.TempDir()
		b, err := Open(root)
		if err != nil {
			t.Fatal(err)
		}
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		p := &pending{bucket: b, key: "key", path: root + "/pending", target: root + "/key", file: full}
		w := &writer{ctx: t.Context(), pending: p, buf: bufferFor(full)}
		_, werr := w.Write(make([]byte, size))
		_, err = w.Commit()
		if size > writeBuffer && !errors.Is(werr, syscall.ENOSPC) {
			t.Errorf("Write of %d bytes: %v", size, werr)
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "disk or the quota is full") ||
			!strings.Contains(err.Error(), b.URL()+"/key") {
			t.Errorf("Commit of %d bytes: %v", size, err)
		}
	}
}
