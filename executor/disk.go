package executor

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/bucketmill/bucketmill/executor/program"
)

// errDiskFull says that an attempt failed for want of room on its executor's own disk. That is
// not its program's fault, and another executor may have it.
var errDiskFull = errors.New("its scratch disk is full")

// leastFree is the room in bytes with less of which a disk counts as full.
const leastFree = 1 << 20

// blameDisk returns an attempt's error, as errDiskFull if that is what it comes from. It must be
// asked before what the attempt wrote is removed.
func (e *Executor) blameDisk(err error) error {
	var (
		file *fs.PathError
		user *program.UserError
	)
	switch {
	case errors.As(err, &file) && strings.HasPrefix(file.Path, e.cfg.Scratch):
		if errors.Is(file, syscall.ENOSPC) || errors.Is(file, syscall.EDQUOT) {
			return fmt.Errorf("executor %s: %w: %w", e.cfg.ID, errDiskFull, err)
		}
	case errors.As(err, &user):
		// Programs have the scratch folder to write to, and say in words of their own that they could not.
		var disk syscall.Statfs_t
		if syscall.Statfs(e.cfg.Scratch, &disk) == nil && int64(disk.Bavail)*int64(disk.Bsize) < leastFree {
			return fmt.Errorf("executor %s: %w (%s: %w); the program said: %s", e.cfg.ID, errDiskFull, e.cfg.Scratch, syscall.ENOSPC, user.Error())
		}
	}
	return err
}
