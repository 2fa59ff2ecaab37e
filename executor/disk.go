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

// errDiskFull says that an attempt failed for want of room on its executor's own disk. That is
// not its program's fault, and another executor may have it.
var errDiskFull = errors.New("its scratch disk is full")

// leastFree is the room in bytes with less of which a disk counts as full.
const leastFree = 1 << 20

// worthyRoom is the room in bytes that an attempt has to find on its executor's disk at its beginning for it to be
// its own fault that it filled the disk.
const worthyRoom = 32 << 20

// diskRoom is what the scratch disk has room for, in bytes; 0 if that can't be found out.
func (e *Executor) diskRoom() int64 {
	var disk syscall.Statfs_t
	if syscall.Statfs(e.cfg.Scratch, &disk) != nil {
		return 0
	}
	return int64(disk.Bavail) * int64(disk.Bsize)
}

// hogged tells whether an attempt's program has filled the disk, with files in its folder that take at least half of
// the room that there was.
func hogged(room int64, usage func(string) int64, folder string) (used int64, yes bool) {
	if room < worthyRoom {
		return 0, false
	}
	used = usage(folder)
	return used, used >= room/2
}

// blameDisk returns an attempt's error, as errDiskFull if that is what it comes from. It must be
// asked before what the attempt wrote is removed: room is what there was for it. A program that has filled the disk by
// itself would do so everywhere.
func (e *Executor) blameDisk(err error, room int64, usage func(string) int64, folder string) error {
	var (
		file *fs.PathError
		user *program.UserError
	)
	switch {
	case errors.As(err, &file) && strings.HasPrefix(file.Path, e.cfg.Scratch):
		if errors.Is(file, syscall.ENOSPC) || errors.Is(file, syscall.EDQUOT) {
			if used, yes := hogged(room, usage, folder); yes {
				return filledDisk(e.cfg.ID, used, room, err)
			}
			return fmt.Errorf("executor %s: %w: %w", e.cfg.ID, errDiskFull, err)
		}
	case errors.As(err, &user):
		// Programs have the scratch folder to write to, and say in words of their own that they could not.
		var disk syscall.Statfs_t
		if syscall.Statfs(e.cfg.Scratch, &disk) == nil && int64(disk.Bavail)*int64(disk.Bsize) < leastFree {
			if used, yes := hogged(room, usage, folder); yes {
				return filledDisk(e.cfg.ID, used, room, err)
			}
			return fmt.Errorf("executor %s: %w (%s: %w); the program said: %s", e.cfg.ID, errDiskFull, e.cfg.Scratch, syscall.ENOSPC, user.Error())
		}
	}
	return err
}

// filledDisk is the error of an attempt whose program filled the disk.
func filledDisk(id job.ExecutorID, used, room int64, err error) error {
	return &program.UserError{
		Program: "executor " + string(id),
		Message: fmt.Sprintf("the program filled the scratch disk: its own files took %d MiB of the %d MiB that were free: %v", used>>20, room>>20, err),
		Cause:   err,
	}
}
