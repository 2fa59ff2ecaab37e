package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// programMemory is how much memory the program of one of so many tasks may have by default, in
// bytes: three quarters of the machine's is shared out, so that a program without measure fails
// by itself, and the kernel need not choose whom to kill. 0, no limit, if that can't be found out.
func programMemory(tasks int) int64 {
	return machineMemory() / 4 * 3 / int64(tasks)
}

// machineMemory is what the machine has, or less if the container of this process may not have
// all of it; 0 if that can't be found out.
func machineMemory() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	memory := int64(info.Totalram) * int64(info.Unit)
	// Inside a container the root is its own group. Version 2 of groups, then version 1.
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // no such groups here
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && limit > 0 { // "max" is no number
			memory = min(memory, limit)
		}
	}
	return memory
}
