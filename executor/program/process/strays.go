package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// strayPatience is how long KillStrays tries against a program that starts processes as fast as
// KillStrays ends them.
const strayPatience = 2 * time.Second

// KillStrays ends the processes that programs have left in a scratch folder, or any folder below
// it: those that left their group (setsid), and those whose executor was killed. The path must be
// absolute. Processes are known by HOME, which Start sets and children inherit; a process without
// any environment is known by its working folder. A process with another HOME is not found.
// KillStrays returns when no process is left.
func KillStrays(folder string) error {
	if !filepath.IsAbs(folder) {
		return fmt.Errorf("end what a program left running: %q is not an absolute path", folder)
	}
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		found, err := killStrays(folder)
		if err != nil {
			return fmt.Errorf("end what a program left running: %w", err)
		}
		if found == 0 {
			return nil
		}
		if time.Since(began) > strayPatience {
			return fmt.Errorf("end what a program left running: %d processes with their home in %s do not end", found, folder)
		}
	}
}

// killStrays searches once, and returns how many processes it found.
func killStrays(folder string) (found int, err error) {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	others := map[User][]int{} // processes whose environment we can't read, by user
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		at, err := livesIn(pid, folder)
		if errors.Is(err, fs.ErrPermission) {
			if owner := ownerOf(p); owner != nil {
				others[*owner] = append(others[*owner], pid)
			}
		}
		if !at {
			continue
		}
		if err := killStray(pid, folder, nil); err != nil {
			return found, err
		}
		found++
	}
	if held, err := held(); err != nil || held&(1<<unix.CAP_SETUID) == 0 || held&(1<<unix.CAP_KILL) == 0 {
		return found, err // so they are not our programs
	}
	for user, pids := range others {
		n, err := user.killStrays(pids, folder)
		if found += n; err != nil {
			return found, err
		}
	}
	return found, nil
}

// EndAll ends all processes of a user that only programs use, also those that have changed their
// home: they could look into the user's next program. It returns when no process is left.
func (u *User) EndAll() error {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		found, err := u.endAll()
		if err == nil && found > 0 && time.Since(began) > strayPatience {
			err = fmt.Errorf("%d of them do not end", found)
		}
		if err != nil {
			return fmt.Errorf("end the processes of user %d: %w", u.ID, err)
		}
		if found == 0 {
			return nil
		}
	}
}

// endAll searches once, and returns how many processes it found.
func (u *User) endAll() (found int, err error) {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || !u.runs(pid) {
			continue
		}
		found++
		if err := kill(pid, func() bool { return u.runs(pid) }); err != nil {
			return found, err
		}
	}
	return found, nil
}

// runs reports whether a process is the user's and has not ended. The owner of the process's folder
// in /proc does not say that: the superuser owns it if the process is not dumpable.
func (u *User) runs(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return false // it has ended
	}
	own := false
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		fields := bytes.Fields(value)
		switch {
		case len(fields) == 0:
		case string(name) == "State" && (fields[0][0] == 'Z' || fields[0][0] == 'X'):
			return false
		case string(name) == "Uid":
			own = string(fields[0]) == strconv.Itoa(u.ID)
		}
	}
	return own
}

// killStrays ends those of the user's processes that have their home in a folder.
func (u *User) killStrays(pids []int, folder string) (found int, err error) {
	strays := []int{}
	// If we can't take its rights, it is not a user of our programs.
	_ = u.As(func() error {
		for _, pid := range pids {
			if at, _ := livesIn(pid, folder); at {
				strays = append(strays, pid)
			}
		}
		return nil
	})
	for _, pid := range strays {
		if err := killStray(pid, folder, u); err != nil {
			return found, err
		}
		found++
	}
	return found, nil
}

// killStray ends a process unless its id belongs to another process now. U is the process's user;
// nil: our own.
func killStray(pid int, folder string, u *User) error {
	return kill(pid, func() (still bool) {
		_ = u.As(func() (err error) {
			still, err = livesIn(pid, folder)
			return err
		})
		return still
	})
}

// kill ends a process if still returns true once the process is held by a descriptor.
func kill(pid int, still func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer func() { _ = unix.Close(fd) }() // nothing was written through it
		if still() {
			err = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
	} else if errors.Is(err, unix.ENOSYS) {
		err = unix.Kill(pid, unix.SIGKILL) // before Linux 5.3
	}
	if errors.Is(err, unix.ESRCH) {
		return nil // it has ended by itself
	}
	return err
}

// livesIn reports whether a process was started with its home in a folder. It fails for another
// user's process. A process that has ended has an environment that can't be read, or is empty.
func livesIn(pid int, folder string) (bool, error) {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false, err
	}
	if len(environment) == 0 {
		// The environment is also empty while the process starts another program (execve).
		at, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
		return err == nil && within(at, folder), nil
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		home, ok := strings.CutPrefix(string(variable), "HOME=")
		if ok && within(home, folder) {
			return true, nil
		}
	}
	return false, nil
}

// within reports whether a path is a folder or below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}
