package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// generate runs the command and returns its standard output.
func generate(t testing.TB, args ...string) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newGenerateCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	err := cmd.ExecuteContext(t.Context())
	return out.Bytes(), err
}

func TestGenerateFilesHoldWhatStdoutShows(t *testing.T) {
	for _, kind := range sampleKinds() {
		t.Run(kind.name, func(t *testing.T) {
			stream, err := generate(t, kind.name, "--output", "-", "--size", "300KB", "--seed", "5")
			if err != nil {
				t.Fatal(err)
			}
			if len(stream) < 299_000 || len(stream) > 300_100 {
				t.Errorf("%d bytes for a size of 300KB", len(stream))
			}
			const files = 3
			folder := filepath.Join(t.TempDir(), "new", "folder")
			if _, err := generate(t, kind.name, "-o", folder, "--size", "300KB", "--seed", "5", "--files", fmt.Sprint(files)); err != nil {
				t.Fatal(err)
			}
			header, _, _ := bytes.Cut(stream, []byte("\n"))
			var joined []byte
			for n := range files {
				data, err := os.ReadFile(filepath.Join(folder, fmt.Sprintf("%s-%05d%s", kind.name, n, kind.extension)))
				if err != nil {
					t.Fatal(err)
				}
				if kind.name == "activity" && n > 0 {
					if data = bytes.TrimPrefix(data, append(header, '\n')); !bytes.HasPrefix(data, []byte("2026-")) {
						t.Errorf("file %d begins %.60q", n, data)
					}
				}
				joined = append(joined, data...)
			}
			if !bytes.Equal(joined, stream) {
				t.Errorf("%d bytes in files are not the %d bytes on standard output", len(joined), len(stream))
			}
			if entries, err := os.ReadDir(folder); err != nil || len(entries) != files {
				t.Errorf("%d entries in the folder, %v", len(entries), err)
			}
		})
	}
}

func TestGenerateMakesFilesWithoutRecords(t *testing.T) {
	folder := t.TempDir()
	if _, err := generate(t, "records", "-o", folder, "--size", "100", "--files", "3"); err != nil {
		t.Fatal(err)
	}
	for n, want := range []int64{100, 0, 0} {
		info, err := os.Stat(filepath.Join(folder, fmt.Sprintf("records-%05d.dat", n)))
		if err != nil || info.Size() != want {
			t.Errorf("file %d: %v, %v", n, info, err)
		}
	}
}

func TestGenerateUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no kind":             {"-o", "-"},
		"two kinds":           {"text", "records", "-o", "-"},
		"unknown kind":        {"poems", "-o", "-"},
		"no output":           {"text"},
		"unreadable size":     {"text", "-o", "-", "--size", "huge"},
		"negative size":       {"text", "-o", "-", "--size", "-1"},
		"no files":            {"text", "-o", "x", "--files", "0"},
		"files on stdout":     {"text", "-o", "-", "--files", "2"},
		"no vocabulary":       {"text", "-o", "-", "--vocabulary", "0"},
		"vocabulary of a log": {"accesslog", "-o", "-", "--vocabulary", "9"},
		"unknown S3 driver":   {"text", "-o", "x", "--s3-driver", "ftp"},
	} {
		out, err := generate(t, args...)
		var usage usageError
		if !errors.As(err, &usage) || len(out) > 0 {
			t.Errorf("%s: %d bytes out, error %v", name, len(out), err)
		}
	}
}

func TestGenerateReportsABrokenStdout(t *testing.T) {
	reader, writer := io.Pipe()
	broken := errors.New("broken pipe")
	if err := reader.CloseWithError(broken); err != nil {
		t.Fatal(err)
	}
	cmd := newGenerateCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"text", "-o", "-"})
	cmd.SetOut(writer)
	if err := cmd.ExecuteContext(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
