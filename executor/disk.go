package executor

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/job"
)

// errDiskFull says that an attempt failed because its executor's own disk is full. This is not the
// program's fault, and another executor may have room.
var errDiskFull = errors.New("its scratch disk is full")

// leastFree is the free space in bytes below which a disk counts as full.
const leastFree = 1 << 20

// fairRoom is the free space in bytes that an attempt must find on the disk when it begins. If
// there is less, a full disk is not the attempt's fault.
const fairRoom = 32 << 20

// diskRoom returns the free space of the scratch disk in bytes; 0 if it is unknown.
func (e *Executor) diskRoom() int64 {
	var disk syscall.Statfs_t
	if syscall.Statfs(e.cfg.Scratch, &disk) != nil {
		return 0
	}
	return int64(disk.Bavail) * int64(disk.Bsize)
}

// filledBy reports whether a program has filled the disk: whether the files in its folder take at
// least half of room, the space that was free before. It returns their size in bytes.
func filledBy(room int64, usage func(string) int64, folder string) (used int64, yes bool) {
	if room < fairRoom {
		return 0, false
	}
	used = usage(folder)
	return used, used >= room/2
}

// blameDisk returns an attempt's error, or a better one if the cause is a full disk: errDiskFull,
// or a fault of the program if the program alone filled the disk, since it would do so on every
// executor. It must be called before the attempt's files are removed. Room is the space in bytes
// that was free when the attempt began.
func (e *Executor) blameDisk(err error, room int64, usage func(string) int64, folder string) error {
	var (
		file *fs.PathError
		user *program.UserError
	)
	switch {
	case errors.As(err, &file) && strings.HasPrefix(file.Path, e.cfg.Scratch):
		if errors.Is(file, syscall.ENOSPC) || errors.Is(file, syscall.EDQUOT) {
			if used, yes := filledBy(room, usage, folder); yes {
				return filledDisk(e.cfg.ID, used, room, err)
			}
			return fmt.Errorf("executor %s: %w: %w", e.cfg.ID, errDiskFull, err)
		}
	case errors.As(err, &user):
		// Programs write to the scratch folder, too. How they report a full disk is not known, so
		// the disk itself is checked.
		var disk syscall.Statfs_t
		if syscall.Statfs(e.cfg.Scratch, &disk) == nil && int64(disk.Bavail)*int64(disk.Bsize) < leastFree {
			if used, yes := filledBy(room, usage, folder); yes {
				return filledDisk(e.cfg.ID, used, room, err)
			}
			return fmt.Errorf("executor %s: %w (%s: %w); the program said: %s",
				e.cfg.ID, errDiskFull, e.cfg.Scratch, syscall.ENOSPC, user.Error())
		}
	}
	return err
}

// filledDisk returns the error of an attempt whose program filled the disk.
func filledDisk(id job.ExecutorID, used, room int64, err error) error {
	return &program.UserError{
		Program: "executor " + string(id),
		Message: fmt.Sprintf("the program filled the scratch disk: its own files took %d MiB of the %d MiB that were free: %v", used>>20, room>>20, err),
		Cause:   err,
	}
}
