package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// programMemory returns the default limit in bytes for the program of one task, if this number of
// tasks run at the same time. They share three quarters of the machine's memory, so that a program
// that uses too much fails before the kernel has to choose a process to kill. It returns 0, no
// limit, if the machine's memory is unknown.
func programMemory(tasks int) int64 {
	return machineMemory() / 4 * 3 / int64(tasks)
}

// machineMemory returns the memory of the machine in bytes, or the limit of this process's
// container if that is less; 0 if it is unknown.
func machineMemory() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	memory := int64(info.Totalram) * int64(info.Unit)
	// In a container the root is the container's group. Version 2 of groups first, then version 1.
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // this version is not in use
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && limit > 0 { // "max" is not a number
			memory = min(memory, limit)
		}
	}
	return memory
}
