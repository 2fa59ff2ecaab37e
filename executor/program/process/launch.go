package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A program that runs as another user is started through this binary: limits can't be set on
// another user's process from outside, and some rights must be given up from within. The binary
// starts as that user already.

// launchReport is the descriptor on which a launcher reports why it could not start the program.
const launchReport = 3

// mostProcesses bounds the processes and threads of a user of programs.
const mostProcesses = 4096

// Launch becomes the program that its arguments name; Start makes them. It never returns: if it
// fails, it ends the process.
func Launch(args []string) {
	runtime.LockOSThread() // the settings are those of the thread that calls exec
	unix.CloseOnExec(launchReport)
	errno := syscall.EINVAL
	err := launch(args)
	errors.As(err, &errno)
	report := os.NewFile(launchReport, "report")
	_, _ = report.Write(binary.LittleEndian.AppendUint32(nil, uint32(errno))) // the reader may have ended
	os.Exit(1)
}

func launch(args []string) error {
	if len(args) < 2 {
		return syscall.EINVAL
	}
	memory, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return syscall.EINVAL
	}
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(firstToKill), 0) // see offerToKill
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	// A change from one user to another keeps capabilities that may be inherited, above all ambient
	// ones.
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return err
	}
	processes := syscall.Rlimit{Cur: mostProcesses, Max: mostProcesses}
	var now syscall.Rlimit
	if err := syscall.Getrlimit(unix.RLIMIT_NPROC, &now); err == nil && now.Max < mostProcesses {
		processes = syscall.Rlimit{Cur: now.Max, Max: now.Max}
	}
	if err := syscall.Setrlimit(unix.RLIMIT_NPROC, &processes); err != nil {
		return err
	}
	if memory > 0 {
		if err := syscall.Setrlimit(unix.RLIMIT_DATA, &syscall.Rlimit{Cur: uint64(memory), Max: uint64(memory)}); err != nil {
			return err
		}
	}
	return syscall.Exec(args[1], args[1:], os.Environ()) //nolint:gosec // to run the user's program is the point
}

// launched changes cmd so that it starts as the user of opts, if there is one. The returned
// function must be called with the result of the start, and returns whether the launcher has become
// the program.
func launched(cmd *exec.Cmd, opts *Options) (started func(startError error) error, err error) {
	if opts.User == nil {
		return func(err error) error { return err }, nil
	}
	if len(opts.Launcher) == 0 {
		return nil, errors.New("the program must run as another user, and no launcher is configured")
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	path := cmd.Path
	cmd.Path = "/proc/self/exe"
	cmd.Args = append(append([]string{"bucketmill"}, opts.Launcher...), append([]string{strconv.FormatInt(opts.Memory, 10), path}, cmd.Args[1:]...)...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr.Credential = opts.User.credential()
	return func(err error) error {
		err = errors.Join(err, theirs.Close())
		if err != nil {
			return errors.Join(err, ours.Close())
		}
		report, err := io.ReadAll(ours)
		err = errors.Join(err, ours.Close())
		if err == nil && len(report) == 0 {
			return nil
		}
		if err == nil && len(report) == 4 {
			err = &os.PathError{Op: "exec", Path: path, Err: syscall.Errno(binary.LittleEndian.Uint32(report))}
		}
		_ = cmd.Process.Kill() // it is ending
		_ = cmd.Wait()         // the report says more
		return fmt.Errorf("as user %d: %w", opts.User.ID, err)
	}, nil
}
