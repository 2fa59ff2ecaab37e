package pages

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The texts of pages that a session replaces.
const (
	pageFolder  = "/home/you/bucketmill"
	pageAddress = "127.0.0.1:8080"
)

// serverWait is how long a server may take to become ready.
const serverWait = 30 * time.Second

// A Session is a bash that runs commands one after the other.
type Session struct {
	folder  string // the copy of the repository
	scratch string // the session's own files
	address string // a free one, for a server
	bash    *exec.Cmd
	in      io.WriteCloser
	status  *bufio.Reader // the status of each command, one per line
	n       int           // commands so far
	server  bool          // a server has started and may not be ready
}

// NewSession starts a session in folder. Its environment has env, and of this process's environment
// only what go and docker need.
func NewSession(folder string, env ...string) (*Session, error) {
	scratch, err := os.MkdirTemp("", "pages-session-")
	if err != nil {
		return nil, err
	}
	s := &Session{folder: folder, scratch: scratch}
	if err := s.start(env); err != nil {
		return nil, errors.Join(err, os.RemoveAll(scratch))
	}
	return s, nil
}

func (s *Session) start(env []string) (err error) {
	if s.address, err = freeAddress(); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(s.scratch, "home"), 0o700); err != nil {
		return err
	}
	s.bash = exec.Command("bash", "--noprofile", "--norc")
	s.bash.Dir = s.folder
	s.bash.Env = append(inherited(),
		"HOME="+filepath.Join(s.scratch, "home"), "LANG=C.UTF-8", "PWD="+s.folder,
		"BUCKETMILL_LISTEN="+s.address, "BUCKETMILL_SERVER=http://"+s.address, "BUCKETMILL_PORT="+port)
	s.bash.Env = append(s.bash.Env, env...)
	s.bash.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.bash.Stderr = os.Stderr
	if s.in, err = s.bash.StdinPipe(); err != nil {
		return err
	}
	out, err := s.bash.StdoutPipe()
	if err != nil {
		return err
	}
	s.status = bufio.NewReader(out)
	return s.bash.Start()
}

// inherited returns the part of this process's environment that a session gets.
func inherited() []string {
	var env []string
	for _, name := range []string{"PATH", "TMPDIR", "GOPROXY", "GONOSUMDB", "GOFLAGS", "GOTOOLCHAIN", "DOCKER_HOST", "REDIS_PASSWORD", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// freeAddress returns an address of this machine that no other process is likely to take now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Run runs the command, and returns its output as a page has it. It fails if the command fails.
func (s *Session) Run(ctx context.Context, command string) ([]string, error) {
	if err := s.awaitServer(ctx); err != nil {
		return nil, err
	}
	s.n++
	script, output := s.file("command"), s.file("output")
	command, s.server = strings.CutSuffix(command, "&")
	if s.server {
		command = "{ " + command + "; } >" + s.file("server") + " 2>&1 &"
	}
	command = strings.ReplaceAll(command, pageAddress, s.address)
	if err := os.WriteFile(script, []byte(command+"\n"), 0o600); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, s.kill)()
	if _, err := fmt.Fprintf(s.in, ". %s </dev/null >%s 2>&1; echo $?\n", script, output); err != nil {
		return nil, fmt.Errorf("give bash the command: %w", err)
	}
	status, err := s.status.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("wait for the command: %w", errors.Join(err, ctx.Err()))
	}
	text, err := os.ReadFile(output)
	if err != nil {
		return nil, err
	}
	printed := settled(strings.NewReplacer(s.folder, pageFolder, s.address, pageAddress).Replace(string(text)))
	if status != "0\n" {
		return printed, fmt.Errorf("exit status %s", strings.TrimSpace(status))
	}
	return printed, nil
}

// file returns the path of one of the session's files for the present command.
func (s *Session) file(kind string) string {
	return filepath.Join(s.scratch, kind+"-"+strconv.Itoa(s.n))
}

// awaitServer returns when the server that the last command started is ready.
func (s *Session) awaitServer(ctx context.Context) error {
	if !s.server {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, serverWait)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(s.file("server")) // there may be no log yet
			return fmt.Errorf("the server is not ready: %w\n%s", ctx.Err(), log)
		}
	}
}

// kill ends all processes of the session.
func (s *Session) kill() { _ = syscall.Kill(-s.bash.Process.Pid, syscall.SIGKILL) } // they may have ended already

// Close ends the session and all its processes.
func (s *Session) Close() error {
	s.kill()
	_ = s.bash.Wait() // killed
	return os.RemoveAll(s.scratch)
}
