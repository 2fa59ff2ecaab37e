package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestQuote(t *testing.T) {
	for _, c := range []struct{ text, quoted, visible string }{
		{"plain\tand\n", "plain\tand\n", `plain\tand\n`},
		{"\x1b[2J\a\b\x00\x7f", `\u001b[2J\u0007\u0008\u0000\u007f`, `\u001b[2J\u0007\u0008\u0000\u007f`},
		{"\u009b2J\u0085", `\u009b2J\u0085`, `\u009b2J\u0085`},
		{"\x9b2J", `\x9b2J`, `\x9b2J`},
		{"a\u202eb\u2066c\u200fd", `a\u202eb\u2066c\u200fd`, `a\u202eb\u2066c\u200fd`},
		{"Zoë 木\ufffd \U0001F600", "Zoë 木\ufffd \U0001F600", "Zoë 木\ufffd \U0001F600"},
		{"dos\r\n", "dos\r\n", `dos\r\n`},
		{"over\rwritten\r", `over\rwritten\r`, `over\rwritten\r`},
		{"cut \xc3", `cut \xc3`, `cut \xc3`},
	} {
		if got := string(quoteAll([]byte(c.text))); got != c.quoted {
			t.Errorf("%q: %s", c.text, got)
		}
		if got := visible(c.text); got != c.visible {
			t.Errorf("%q on one line: %s", c.text, got)
		}
		var out bytes.Buffer
		s := newStream("out", &out)
		for i := range len(c.text) { // in pieces of every size
			if _, err := s.Write([]byte(c.text[i : i+1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.end(); err != nil || out.String() != c.quoted {
			t.Errorf("%q in pieces: %s, %v", c.text, out.String(), err)
		}
	}
}

// onTerminal runs the real program with a terminal for its output, and returns the output.
func onTerminal(t *testing.T, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	must(t, err)
	defer master.Close()
	control, err := master.SyscallConn()
	must(t, err)
	var number int
	must(t, errors.Join(control.Control(func(fd uintptr) {
		err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
		if err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}), err))
	terminal, err := os.OpenFile(filepath.Join("/dev/pts", strconv.Itoa(number)), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	must(t, unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}))
	cmd := exec.Command(bucketmillBinary(t), args...)
	cmd.Stdout, cmd.Stderr = terminal, terminal
	must(t, cmd.Start())
	must(t, terminal.Close())
	text, _ := io.ReadAll(bufio.NewReader(master)) // reading fails when the program has ended
	_ = cmd.Wait()
	if drawn := regexp.MustCompile(`\x1b\[\d+A\x1b\[J[^\r\n]`).Find(text); drawn != nil {
		t.Errorf("a bar is drawn at the cursor, not at the beginning of the line: %q", drawn)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

const escapes = "\x1b]0;PWNED\a\x1b[2J\u009b1m\u202e"

// control matches characters that a terminal would obey.
var control = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f\x{80}-\x{9f}\x{202a}-\x{202e}]`)

func checkHarmless(t *testing.T, what, text, wants string) {
	t.Helper()
	if found := control.FindString(text); found != "" {
		t.Errorf("%s: %q in %q", what, found, text)
	}
	if !strings.Contains(text, wants) {
		t.Errorf("%s: no %s in %s", what, wants, text)
	}
}

// Text from servers, stores and programs can't control a terminal.
func TestTerminalEscapes(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/k"+escapes, escapes+"\n")
	s.put("s3://inbox/books/a.txt", "to be\n")
	program := filepath.Join(t.TempDir(), "bad.py")
	writeFile(t, program, "import sys\ndef map_fn(key, value):\n    print(\"said \\x1b[2J\", file=sys.stderr)\n    raise ValueError(\"\\x1b]0;PWNED\\x07\\x1b[2J\\u202e\")\ndef reduce_fn(key, values):\n    yield key, 1\n")
	onWire := []string{"--server", s.url}
	waited := onTerminal(t, append([]string{"submit", program, "-i", "s3://inbox/books/", "-o", "s3://outbox/bad", "--wait"}, onWire...)...)
	waited = regexp.MustCompile(`\x1b\[[0-9]*[AJK]|\r`).ReplaceAllString(waited, "") // of the bars
	checkHarmless(t, "submit --wait", waited, `\u001b]0;PWNED\u0007\u001b`)
	for _, c := range []struct {
		args  string
		wants string
	}{
		{"status last", `\u001b]0;PWNED`},
		{"status last --json", `\u001b]0;PWNED`},
		{"tasks last", `\u001b]0;PWNED`},
		{"events last", `\u001b]0;PWNED`},
		{"logs last", `\u001b[2J`},
		{"ls s3://inbox", `k\u001b]0;PWNED`},
		{"ls s3://inbox --json", `\u202e`},
		{"get s3://inbox/k" + escapes, `\u009b1m`},
		{"cancel x\x1b[2J", `x\x1b[2J`},
		{"status x\x1b[2J", `[2J`},
	} {
		args := append(strings.Fields(c.args), onWire...)
		checkHarmless(t, c.args, onTerminal(t, args...), c.wants)
		if r := s.command(strings.Fields(c.args)...); !strings.HasPrefix(c.args, "get ") && !strings.HasPrefix(c.args, "logs ") {
			checkHarmless(t, c.args+" into a pipe", r.stdout+r.stderr, c.wants)
		}
	}
	if text := s.must("get", "s3://inbox/k"+escapes); text != escapes+"\n" {
		t.Errorf("data into a pipe became %q", text)
	}
	if text := s.must("logs", "last"); !strings.Contains(text, "said \x1b[2J\n") {
		t.Errorf("a log into a pipe became %q", text)
	}
}

// piped runs the real program with a reader that leaves after a few bytes, and returns the exit
// code.
func piped(t *testing.T, bytes int, args ...string) (code int, read, stderr string) {
	t.Helper()
	cmd := exec.Command(bucketmillBinary(t), args...)
	var words strings.Builder
	cmd.Stderr = &words
	r, w, err := os.Pipe()
	must(t, err)
	cmd.Stdout = w
	must(t, cmd.Start())
	must(t, w.Close())
	head := make([]byte, bytes)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	must(t, r.Close())
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(head[:n]), words.String()
}

func TestReaderThatLeaves(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/large", strings.Repeat("to be or not to be\n", 100_000))
	s.put("s3://inbox/books/a.txt", strings.Repeat("to be or not to be\n", 30_000))
	for _, c := range []struct {
		args string
		code int
	}{
		{"generate records --output - --size 10MB", exitReaderLeft},
		{"get s3://inbox/large --server " + s.url, exitReaderLeft},
	} {
		if code, head, stderr := piped(t, 10, strings.Fields(c.args)...); code != c.code || stderr != "" || len(head) != 10 {
			t.Errorf("%s: exit code %d, %q, stderr %q", c.args, code, head, stderr)
		}
	}
	// Commands that change something finish as if the reader had read everything.
	folder := writeFiles(t, map[string]string{"in.txt": "to be\n"})
	out := filepath.Join(folder, "out")
	if code, _, stderr := piped(t, 1, "run", "wordcount", "-i", folder+"/in.txt", "-o", out, "--explain"); code != exitDone || strings.Contains(stderr, "pipe") {
		t.Errorf("run: exit code %d, stderr %q", code, stderr)
	}
	checkOutput(t, out)
	if code, _, stderr := piped(t, 0, "run", "wordcount", "-i", folder+"/in.txt", "-o", out, "--explain"); code != exitFailed || !strings.Contains(stderr, "is not empty") {
		t.Errorf("run of a job that fails: exit code %d, stderr %q", code, stderr)
	}
	if code, _, stderr := piped(t, 0, "submit", "wordcount", "-i", "s3://inbox/books/", "-o", "s3://outbox/2", "--wait", "--server", s.url); code != exitDone || strings.Contains(stderr, "pipe") {
		t.Errorf("submit --wait: exit code %d, stderr %q", code, stderr)
	}
}

// A full disk is reported.
func TestFullOutput(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	must(t, err)
	defer full.Close()
	for _, args := range []string{"--help", "run --help", "help run", "--version", "programs", "dev --print-config", "completion bash"} {
		var stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), full, &stderr); code != exitFailed {
			t.Errorf("%s: exit code %d", args, code)
		}
		checkComplaint(t, result{stderr: stderr.String()}, `^bucketmill: .*write (standard output|/dev/full): no space left on device\n$`)
	}
}
