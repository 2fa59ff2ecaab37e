package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pipeSize is the wanted size of both pipes, in bytes. With large pipes the two processes take
// turns less often. If the kernel refuses it, the default size stays.
const pipeSize = 1 << 20

// Process is a running program, the leader of its process group.
type Process struct {
	cmd    *exec.Cmd
	Stdin  *os.File // our end, to write to
	Stdout *os.File // our end, to read from
	stderr *logWriter

	mu    sync.Mutex
	ended bool // guarded by mu: the group was killed after its leader's end; its id is no longer ours

	shared    bool          // see Options
	died      chan struct{} // closed when the leader has ended
	released  chan struct{} // closed when the rest of the group may be killed after that; nil: at once
	release   sync.Once
	exited    chan struct{} // closed when the process is reaped
	exitError error         // from the wait; valid once exited is closed
}

// Options say how a process runs.
type Options struct {
	// Folder is the scratch folder: the working folder, HOME and TMPDIR. It must be the user's.
	Folder string
	// User is who the process runs as; nil: our own user.
	User *User
	// Launcher are the arguments with which this binary calls Launch; needed with a User.
	Launcher []string
	// Memory limits the data segment, in bytes (RLIMIT_DATA); 0 sets no limit.
	Memory int64
	// Env is added to the environment.
	Env []string
	// Log receives standard error, whole lines at a time; nil drops it. After its first error
	// nothing more is written.
	Log io.Writer
	// LogLimit bounds what goes to Log, in bytes; the rest is dropped, and a line says so.
	LogLimit int64
	// Report receives each line of standard error, with its end, and returns what to log of it;
	// nil logs everything. One goroutine calls it.
	Report func(line []byte) []byte
	// Grace is how long standard output and standard error may stay open after the end of the
	// process.
	Grace time.Duration
	// Linger lets what the process has started live on after its end, until LetGo or Kill is
	// called.
	Linger bool
	// Shared says that other processes use the same scratch folder: processes that have left the
	// group are not searched for, since they can't be told apart from those.
	Shared bool
}

// ErrNotRunnable says that the kernel can't start a file as a program.
var ErrNotRunnable = errors.New("the program cannot be started")

// notRunnable are the kernel's errors that blame the file or the arguments. All others, such as a
// lack of memory or processes, blame the machine.
var notRunnable = []error{
	syscall.ENOEXEC, os.ErrNotExist, os.ErrPermission, syscall.E2BIG, syscall.EINVAL, syscall.ELOOP, syscall.ENAMETOOLONG,
	syscall.ENOTDIR, syscall.EISDIR, syscall.ELIBBAD,
}

// Start starts a process. An error is ErrNotRunnable if argv is to blame.
func Start(argv []string, opts Options) (_ *Process, err error) {
	childIn, stdin, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start program: %w", err)
	}
	stdout, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start program: %w", err), childIn.Close(), stdin.Close())
	}
	p := &Process{
		Stdin: stdin, Stdout: stdout, stderr: newLogWriter(opts.Log, opts.LogLimit),
		died: make(chan struct{}), exited: make(chan struct{}),
	}
	p.stderr.report, p.shared = opts.Report, opts.Shared
	if opts.Linger {
		p.released = make(chan struct{})
	}
	for _, f := range []*os.File{stdin, stdout} {
		growPipe(f)
	}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:gosec // to run the user's program is the point
	cmd.Dir = opts.Folder
	cmd.Env = append(environment(opts.Folder), opts.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = childIn, childOut, p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// A new group, and a new session: with our terminal, if we have one, a program could read
		// what is typed, and type itself.
		Setsid: true,
		// The kernel watches the thread that started the process, not our process as a whole. Go
		// ends a thread only if a goroutine that is locked to it ends.
		Pdeathsig: syscall.SIGKILL,
	}
	// A grandchild that has left the group may still hold standard error.
	cmd.WaitDelay = opts.Grace
	p.cmd = cmd
	started, err := launched(cmd, &opts)
	if err == nil {
		err = started(cmd.Start())
	}
	if slices.ContainsFunc(notRunnable, func(why error) bool { return errors.Is(err, why) }) {
		err = fmt.Errorf("%w: %w", ErrNotRunnable, err)
	}
	// The child has its own copies now, or there is no child.
	err = errors.Join(err, childIn.Close(), childOut.Close())
	if err != nil {
		return nil, errors.Join(err, stdin.Close(), stdout.Close())
	}
	go p.wait()
	if opts.User != nil { // the launcher does the rest
		return p, nil
	}
	offerToKill(cmd.Process.Pid)
	if err := limitMemory(cmd.Process.Pid, opts.Memory); err != nil {
		p.Kill()
		<-p.exited
		return nil, errors.Join(fmt.Errorf("limit the program's memory: %w", err), stdin.Close(), stdout.Close())
	}
	return p, nil
}

// environment returns the whole environment that a program gets.
func environment(scratch string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + scratch,
		"TMPDIR=" + scratch,
		"LANG=C.UTF-8",
		"LC_ALL=C.UTF-8",
		"PYTHONHASHSEED=0",
		"PYTHONDONTWRITEBYTECODE=1",
	}
}

func growPipe(f *os.File) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	// If the kernel refuses, at the user's limit for pipes, that only costs speed.
	_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
}

// firstToKill is the oom_score_adj of processes that the kernel kills before all others.
const firstToKill = "1000"

// offerToKill makes the kernel kill a program, and what it starts, before anything else when memory
// runs out: an executor, a Redis or a store on the same machine are worth more.
func offerToKill(pid int) {
	// The process may have ended, or /proc may be missing; then the kernel treats all processes
	// alike.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(firstToKill), 0)
}

func limitMemory(pid int, limit int64) error {
	if limit <= 0 {
		return nil
	}
	l := unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}
	err := unix.Prlimit(pid, unix.RLIMIT_DATA, &l, nil)
	if errors.Is(err, unix.ESRCH) {
		return nil // the process has ended; its reader finds out
	}
	return err
}

// wait waits for the leader, kills the rest of its group and what has left the group, and reaps the
// leader.
func (p *Process) wait() {
	// Until the dead leader is reaped, nobody else can get the group's id.
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	close(p.died)
	if p.released != nil {
		<-p.released
	}
	p.mu.Lock()
	p.signalGroup()
	p.ended = true
	p.mu.Unlock()
	if !p.shared {
		// What does not end, or can't be found, is left to the next start on this machine.
		_ = KillStrays(p.cmd.Dir)
	}
	p.exitError = p.cmd.Wait()
	p.stderr.flush()
	// A grandchild that has left the group may hold standard output, too. What the program itself
	// wrote is in the pipe already.
	_ = p.Stdout.SetReadDeadline(time.Now().Add(p.cmd.WaitDelay))
	close(p.exited)
}

// LetGo lets the rest of the group be killed once its leader has ended.
func (p *Process) LetGo() {
	if p.released != nil {
		p.release.Do(func() { close(p.released) })
	}
}

// Kill ends the process and its group. It does not wait. Any goroutine may call it, more than once.
func (p *Process) Kill() {
	p.LetGo()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.signalGroup()
	}
}

func (p *Process) signalGroup() {
	// The only possible error is ESRCH: the group has ended.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
}

// Close closes our ends of the pipes.
func (p *Process) Close() error {
	return errors.Join(IgnoreClosed(p.Stdin.Close()), IgnoreClosed(p.Stdout.Close()))
}

// WaitExit waits until the process has ended, for at most d or until ctx ends. It reports whether
// the process has ended.
func (p *Process) WaitExit(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Exit describes how the process ended, such as "exit status 3" or "signal: killed". The process
// must have ended.
func (p *Process) Exit() string {
	if state := p.cmd.ProcessState; state != nil {
		return state.String()
	}
	return fmt.Sprint(p.exitError)
}

// WasKilled reports whether a SIGKILL ended the process; the kernel sends it when memory runs out.
// The process must have ended.
func (p *Process) WasKilled() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// LastLines returns the end of standard error: at most 20 lines and 4 KiB.
func (p *Process) LastLines() string { return p.stderr.lastLines() }

// State returns how the process ended. The process must have ended.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Died returns a channel that is closed when the process has ended. What it has started may still
// run.
func (p *Process) Died() <-chan struct{} { return p.died }

// Exited returns a channel that is closed when the process and its group have ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }
