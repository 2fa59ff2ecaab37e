package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// shield keeps what this process has in its environment, in its memory and behind its file descriptors
// from the programs that it starts, which run as the same user unless --program-user says otherwise:
//
//   - The kernel lets only the superuser look into a process that is not "dumpable" (/proc/PID/environ,
//     mem, fd, maps, and ptrace). An exec makes the new program dumpable again.
//   - Descriptors that our starter left open are closed in what we start. Go's own are so in any case.
//
// It has to run before credentials are in use.
func shield() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep other processes from looking into this one: %w", err)
	}
	if err := closeOnExec(); err != nil {
		return fmt.Errorf("keep inherited file descriptors from programs: %w", err)
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
	// A kernel before 5.11, or a sandbox that does not know the call.
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
