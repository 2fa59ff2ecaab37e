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

// strayPatience is how long KillStrays goes on against a program that starts processes as
// fast as it ends them.
const strayPatience = 2 * time.Second

// KillStrays ends the processes that programs have left in a scratch folder, by its absolute
// path, or any below it:
// those that left their group (setsid), and those whose executor was killed, which nobody could
// end with it. They are known by HOME, which startProcess sets and children inherit, or, while they have no
// environment at all, by their working folder; one that takes another environment is not found. It
// returns when none is left.
func KillStrays(folder string) error {
	if !filepath.IsAbs(folder) {
		return fmt.Errorf("end what a program left running: %q is no absolute path", folder)
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
			return fmt.Errorf("end what a program left running: %d processes at home in %s do not end", found, folder)
		}
	}
}

// killStrays looks once, and returns how many it found.
func killStrays(folder string) (found int, err error) {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	others := map[User][]int{} // processes that we can't look into, by user
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
		return found, err // they are none of our programs
	}
	for user, pids := range others {
		n, err := user.killStrays(pids, folder)
		if found += n; err != nil {
			return found, err
		}
	}
	return found, nil
}

// EndAll ends all processes of a user whom nobody else uses, also those that have another home by now: they could look
// into what the user's next program does. It returns when none is left.
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

// endAll looks once, and returns how many it found.
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

// runs tells whether a process is the user's and has not ended. The owner of its folder in /proc does not tell: it is
// the superuser where a process lets nobody look into it.
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

// killStrays ends those of a user's processes that live in a folder.
func (u *User) killStrays(pids []int, folder string) (found int, err error) {
	strays := []int{}
	// Where we may not take its rights, it is nobody who runs programs for us.
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

// killStray ends a process, of a user if it is not ours, if it still is the one that was found: its id may be
// another's by now.
func killStray(pid int, folder string, u *User) error {
	return kill(pid, func() (still bool) {
		_ = u.As(func() (err error) {
			still, err = livesIn(pid, folder)
			return err
		})
		return still
	})
}

// kill ends a process if it still is the one that was found.
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
		return nil // it ended by itself
	}
	return err
}

// livesIn tells whether a process was started with its home in a folder. One that has ended was not: its
// environment can't be read, or is empty. That of another user can't be read, either.
func livesIn(pid int, folder string) (bool, error) {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false, err
	}
	if len(environment) == 0 {
		// So it looks while it takes up another program (execve), too.
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

// within tells whether a path is that of a folder or below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}
