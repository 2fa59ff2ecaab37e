package main

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// fullDiskScript runs bucketmill with a file system of 1 MiB at the folder $1, in a new mount
// namespace. It copies what bucketmill left there, and exits with bucketmill's exit code.
const fullDiskScript = `
mount -t tmpfs -o size=1m tmpfs "$1" || exit 99
folder=$1 list=$2
shift 2
"$@"
code=$?
find "$folder" -mindepth 1 > "$list"
exit $code
`

func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	text := sampleText(t, 16<<20, 7)
	for _, c := range []struct {
		name string
		args func(small, large string) []string
	}{
		{"of the output", func(small, large string) []string {
			return []string{"-o", small + "/out", "--scratch", large + "/scratch"}
		}},
		{"of the scratch folder", func(small, large string) []string {
			return []string{"-o", large + "/out", "--scratch", small, "--work", large + "/work", "--memory", "16MiB", "--executors", "1", "--maps", "1"}
		}},
		{"of the work store", func(small, large string) []string {
			return []string{"-o", large + "/out", "--work", small + "/work", "--scratch", large + "/scratch"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			input := filepath.Join(writeFiles(t, map[string]string{"in.txt": text}), "in.txt")
			small, large, list := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "left")
			args := append([]string{"-c", fullDiskScript, "sh", small, list, bucketmillBinary(t), "run", "sort", "-i", input, "-r", "1"},
				c.args(small, large)...)
			cmd := exec.Command("sh", args...)
			// In a user namespace every user may mount.
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{HostID: syscall.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: syscall.Getgid(), Size: 1}},
			}
			var stdout, stderr lockedBuffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != exitFailed {
				t.Fatalf("exit code %d, %v\n%s", code, err, stderr.String())
			}
			checkComplaint(t, result{stdout: stdout.String(), stderr: stderr.String()}, "/.*(disk.* full|no space)")
			if left := contents(t, filepath.Dir(list))["left"]; left != "" {
				t.Errorf("left on the full disk: %s", left)
			}
			for _, name := range tree(t, large) {
				if name != "scratch" {
					t.Errorf("left behind: %s", name)
				}
			}
		})
	}
}
