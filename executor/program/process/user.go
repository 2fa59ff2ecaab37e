package process

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Users are the users that programs run as, other than the executor's: First to Last, all in one
// group. Programs that run at the same time have no access to each other's files and processes if
// each has its own user.
type Users struct {
	First, Last, Group int
}

// User is one of them. A nil User is the executor's own.
type User struct{ ID, Group int }

// ParseUsers reads NAME[:GROUP], UID[:GID] or FIRST-LAST[:GID]. A name must be known to this
// machine. The default group is the user's own, or the one with the same number. The superuser and
// its group are refused.
func ParseUsers(text string) (*Users, error) {
	name, group, hasGroup := strings.Cut(text, ":")
	first, last, isRange := strings.Cut(name, "-")
	var u Users
	var err error
	if _, number := strconv.Atoi(first); isRange && number == nil {
		if u.First, err = numberOf(first, "user"); err == nil {
			u.Last, err = numberOf(last, "user")
		}
		u.Group = u.First
	} else if u.First, u.Group, err = findUser(name); err == nil {
		u.Last = u.First
	}
	if err == nil && hasGroup {
		u.Group, err = findGroup(group)
	}
	switch {
	case err != nil:
		return nil, err
	case u.First == 0 || u.Group == 0:
		return nil, fmt.Errorf("%q is the superuser or its group: programs need a user without rights", text)
	case u.Last < u.First:
		return nil, fmt.Errorf("%q: the last user comes before the first", text)
	}
	return &u, nil
}

// numberOf reads an id. The kernel uses some ids of 1<<31 and above itself.
func numberOf(text, what string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is not the number of a %s", text, what)
	}
	return int(n), nil
}

func findUser(name string) (id, group int, err error) {
	found, err := user.Lookup(name)
	if err != nil {
		found, err = user.LookupId(name)
	}
	if err == nil {
		if id, err = numberOf(found.Uid, "user"); err == nil {
			group, err = numberOf(found.Gid, "group")
		}
		return id, group, err
	}
	if id, err = numberOf(name, "user"); err != nil { // a number need not have a name
		return 0, 0, fmt.Errorf("there is no user %q on this machine", name)
	}
	return id, id, nil
}

func findGroup(name string) (int, error) {
	if found, err := user.LookupGroup(name); err == nil {
		return numberOf(found.Gid, "group")
	}
	id, err := numberOf(name, "group")
	if err != nil {
		return 0, fmt.Errorf("there is no group %q on this machine", name)
	}
	return id, nil
}

// Count returns how many users there are.
func (u *Users) Count() int { return u.Last - u.First + 1 }

// At returns the user number i, counted from 0 and around; for nil Users it returns nil.
func (u *Users) At(i int) *User {
	if u == nil {
		return nil
	}
	return &User{ID: u.First + i%u.Count(), Group: u.Group}
}

// capabilities are those that a process needs to run programs as other users: to start them, to
// give them their folders, and to end them.
var capabilities = map[string]int{"CAP_CHOWN": unix.CAP_CHOWN, "CAP_KILL": unix.CAP_KILL, "CAP_SETGID": unix.CAP_SETGID, "CAP_SETUID": unix.CAP_SETUID}

// Check returns why this process can't run programs as these users, or nil.
func (u *Users) Check() error {
	if own := os.Geteuid(); own >= u.First && own <= u.Last {
		return fmt.Errorf("user %d is the user of this process: programs need another user", own)
	}
	held, err := held()
	if err != nil {
		return err
	}
	for _, name := range []string{"CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_KILL"} {
		if held&(1<<capabilities[name]) == 0 {
			return fmt.Errorf("this process may not run programs as another user, because it lacks %s: start it as root, or with the capabilities CAP_SETUID, CAP_SETGID, CAP_CHOWN and CAP_KILL", name)
		}
	}
	return nil
}

// held returns the effective capabilities as bits.
func held() (uint64, error) {
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return 0, fmt.Errorf("read this process's capabilities: %w", err)
	}
	return uint64(data[0].Effective) | uint64(data[1].Effective)<<32, nil
}

// credential returns what starts a process as the user, with no supplementary groups.
func (u *User) credential() *syscall.Credential {
	if u == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(u.ID), Gid: uint32(u.Group), Groups: []uint32{}}
}

// As calls f with the user's rights on file systems, /proc among them. f must not start goroutines
// or processes.
//
// It changes only the thread's ids for file systems: with the user's other ids, programs could send
// us signals. The thread must not end while it has these ids, because the kernel would then end the
// programs that it has started.
func (u *User) As(f func() error) error {
	if u == nil {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		own, err := threadRights()
		if err == nil {
			if err = setThreadRights(u.ID, u.Group, nil); err != nil {
				err = fmt.Errorf("take the rights of user %d: %w", u.ID, err)
			}
		}
		if err == nil {
			err = f()
		}
		back := setThreadRights(own.id, own.group, own.groups)
		done <- errors.Join(err, back)
		if back != nil {
			select {} // no other goroutine may get this thread
		}
		runtime.UnlockOSThread()
	}()
	return <-done
}

// rights are a thread's ids for file systems.
type rights struct {
	id, group int
	groups    []uint32
}

func threadRights() (r rights, err error) {
	groups, err := unix.Getgroups()
	for _, g := range groups {
		r.groups = append(r.groups, uint32(g))
	}
	r.id, r.group = unix.Geteuid(), unix.Getegid()
	return r, err
}

// setThreadRights sets the rights of this thread only.
func setThreadRights(id, group int, groups []uint32) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(unsafe.SliceData(groups))), 0); errno != 0 {
		return errno
	}
	// These calls return the id that was set before, not whether they worked.
	_, err := unix.SetfsgidRetGid(group)
	_, err2 := unix.SetfsuidRetUid(id)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	nowGroup, err := unix.SetfsgidRetGid(-1)
	now, err2 := unix.SetfsuidRetUid(-1)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if nowGroup != group || now != id {
		return syscall.EPERM
	}
	return nil
}
