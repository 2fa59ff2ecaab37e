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

// A program that runs as another user is started by way of this binary: limits can't be set on another user's
// process from outside, and some rights have to be given up from within. It starts as that user already.

// launchReport is the descriptor on which a launcher tells why it could not start the program.
const launchReport = 3

// mostProcesses is how many processes and threads a user of programs may have at a time.
const mostProcesses = 4096

// Launch becomes the program that its arguments name, as launched has put them together. It returns only
// by ending the process.
func Launch(args []string) {
	runtime.LockOSThread() // what is set here holds for the thread that calls exec
	unix.CloseOnExec(launchReport)
	errno := syscall.EINVAL
	err := launch(args)
	errors.As(err, &errno)
	report := os.NewFile(launchReport, "report")
	_, _ = report.Write(binary.LittleEndian.AppendUint32(nil, uint32(errno))) // if nobody reads it, nobody wants to know
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
	// A change from one user to another leaves those that may be inherited, ambient ones above all.
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

// launched has cmd started as the user of opts, if there is one. The function returned must be called after the start: it
// tells whether the launcher has become the program.
func launched(cmd *exec.Cmd, opts *Options) (started func(startError error) error, err error) {
	if opts.User == nil {
		return func(err error) error { return err }, nil
	}
	if len(opts.Launcher) == 0 {
		return nil, errors.New("no launcher is configured, and the program is to run as another user")
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
		_ = cmd.Process.Kill() // it is about to end
		_ = cmd.Wait()         // with an error of no interest
		return fmt.Errorf("as user %d: %w", opts.User.ID, err)
	}, nil
}
