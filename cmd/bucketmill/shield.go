package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// shield hides this process's environment, memory and file descriptors from the programs that it
// starts, which run as the same user unless --program-user is set:
//
//   - Only the superuser can inspect a process that is not "dumpable" (/proc/PID/environ, mem, fd,
//     maps, and ptrace). An exec makes the new program dumpable again.
//   - Descriptors that this process inherited are closed in programs. Those that Go opens are
//     closed in any case.
//
// It must run before credentials are used.
func shield() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide this process from other processes: %w", err)
	}
	if err := closeOnExec(); err != nil {
		return fmt.Errorf("hide inherited file descriptors from programs: %w", err)
	}
	return nil
}

// firstInherited is the first descriptor after the standard ones.
const firstInherited = 3

func closeOnExec() error {
	err := unix.CloseRange(firstInherited, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EPERM) {
		return err
	}
	// The kernel is older than 5.11, or a sandbox does not know the call.
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= firstInherited {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
