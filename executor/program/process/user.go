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

// Users are the users that programs run as, beside that of the executor: First to Last, all of one group.
// Programs that run side by side are kept from one another's files and processes where each has a user of its own.
type Users struct {
	First, Last, Group int
}

// User is one of them. A nil User is the executor's own.
type User struct{ ID, Group int }

// ParseUsers reads NAME[:GROUP], UID[:GID] or FIRST-LAST[:GID]. A name has to be known to this machine; the group is by
// default the user's own, or that of the same number. The superuser and its group are refused.
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
		return nil, fmt.Errorf("%q is the superuser, or its group: programs need a user without rights", text)
	case u.Last < u.First:
		return nil, fmt.Errorf("%q: the last user comes before the first", text)
	}
	return &u, nil
}

// numberOf reads an id. Those from 1<<31 on are left to the kernel's own uses.
func numberOf(text, what string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of a %s", text, what)
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

// Count is how many users there are.
func (u *Users) Count() int { return u.Last - u.First + 1 }

// At returns one of them, counted from 0; of a nil Users a nil User.
func (u *Users) At(i int) *User {
	if u == nil {
		return nil
	}
	return &User{ID: u.First + i%u.Count(), Group: u.Group}
}

// What a process needs for running programs as other users: to start them, to give them their folders, and to end them.
var capabilities = map[string]int{"CAP_CHOWN": unix.CAP_CHOWN, "CAP_KILL": unix.CAP_KILL, "CAP_SETGID": unix.CAP_SETGID, "CAP_SETUID": unix.CAP_SETUID}

// Check tells why this process can't run programs as these users.
func (u *Users) Check() error {
	if own := os.Geteuid(); own >= u.First && own <= u.Last {
		return fmt.Errorf("user %d is the user of this process: its programs need another one", own)
	}
	held, err := held()
	if err != nil {
		return err
	}
	for _, name := range []string{"CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_KILL"} {
		if held&(1<<capabilities[name]) == 0 {
			return fmt.Errorf("this process may not run programs as another user, since it has no %s: start it as root, or with the capabilities CAP_SETUID, CAP_SETGID, CAP_CHOWN and CAP_KILL", name)
		}
	}
	return nil
}

// held returns the effective capabilities as bits.
func held() (uint64, error) {
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return 0, fmt.Errorf("ask for this process's capabilities: %w", err)
	}
	return uint64(data[0].Effective) | uint64(data[1].Effective)<<32, nil
}

// credential is for starting a process as the user, without any further group.
func (u *User) credential() *syscall.Credential {
	if u == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(u.ID), Gid: uint32(u.Group), Groups: []uint32{}}
}

// As has f use the file system, /proc as well, with the user's rights. F starts no goroutines or processes.
//
// Only the thread's ids for the file system are changed: with others of the user's the programs could send us
// signals. The thread may not end with that, either: the kernel would end the programs that it has started.
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
			select {} // nobody else may get this thread
		}
		runtime.UnlockOSThread()
	}()
	return <-done
}

// rights are the ids of a thread for the file system.
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

// setThreadRights sets them for this thread alone.
func setThreadRights(id, group int, groups []uint32) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(unsafe.SliceData(groups))), 0); errno != 0 {
		return errno
	}
	// These calls don't say whether they worked, but what was set before them.
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
