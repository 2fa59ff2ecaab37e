package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// process is the state of a process in /proc.
type process struct {
	session  int
	cpu      time.Duration // of the process, and of children that it has waited for
	resident int64         // bytes
}

// ticks is the number of clock ticks per second in /proc/PID/stat: 100 on every Linux that Go runs
// on.
const ticks = 100

// readProcess reads /proc/PID/stat, whose fields proc(5) describes.
func readProcess(pid int) (p process, err error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return p, err
	}
	// The second field is the program's name in parentheses. It may contain anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const session, utime, cstime, rss = 6 - 3, 14 - 3, 17 - 3, 24 - 3
	if len(fields) <= rss {
		return p, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	number := func(i int) int64 {
		n, convErr := strconv.ParseInt(string(fields[i]), 10, 64)
		if convErr != nil {
			err = fmt.Errorf("/proc/%d/stat: %w", pid, convErr)
		}
		return n
	}
	p.session = int(number(session))
	for i := utime; i <= cstime; i++ {
		p.cpu += time.Duration(number(i)) * time.Second / ticks
	}
	p.resident = number(rss) * int64(os.Getpagesize())
	return p, err
}

// processesOf returns the processes of sessions. It skips those that end meanwhile.
func processesOf(sessions []int) (found []process) {
	folder, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil && slices.Contains(sessions, p.session) {
			found = append(found, p)
		}
	}
	return found
}

// cpuOf returns the CPU time that sessions have used.
func cpuOf(sessions ...int) (total time.Duration) {
	for _, p := range processesOf(sessions) {
		total += p.cpu
	}
	return total
}

// highWater returns the peak resident memory of a process since it began to run its program, in
// bytes; 0 if the process is gone. The ru_maxrss of wait4 can't be used: it includes the memory of
// the process that forked, which is bench itself.
func highWater(pid int) int64 {
	var kib int64
	if _, err := fmt.Sscan(fieldOf("/proc/"+strconv.Itoa(pid)+"/status", "VmHWM"), &kib); err != nil {
		return 0
	}
	return kib << 10
}
