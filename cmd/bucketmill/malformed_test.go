package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// If a builtin can't use any record, the input has another format: the job fails and says which
// format the builtin reads.
func TestJobWhoseRecordsAreAllMalformedFails(t *testing.T) {
	t.Parallel()
	const good = `198.51.100.7 - - [04/Oct/2026:04:34:49 +0200] "GET / HTTP/1.1" 200 12`
	iis := "#Fields: date time c-ip sc-status\n" + strings.Repeat("2026-10-04 04:00:01 198.51.100.7 200\n", 2000)
	folder := writeFiles(t, map[string]string{
		"iis.log": iis, "mixed.log": iis + good + "\n", "blank.log": "\n\n\n", "words.txt": "to be\n",
		"events.csv": "timestamp,user,action,amount\nyesterday,u,buy,1\n2026-01-01,u,buy,1e3\n",
	})
	for _, c := range []struct {
		args []string
		want string // of the error; empty: the job completes
	}{
		{[]string{"accesslog", "-i", "iis.log"}, `accesslog could use no record: 2001 of 2001 are malformed; each must be CLIENT IDENT USER [TIME] "REQUEST" STATUS BYTES`},
		{[]string{"accesslog", "-i", "iis.log", "-r", "0"}, "2001 of 2001 are malformed"},
		{[]string{"accesslog", "-i", "iis.log", "--split-size", "16KiB", "-r", "3"}, "2001 of 2001 are malformed"},
		{[]string{"aggregate", "-i", "words.txt"}, "1 of 1 are malformed; each must be KEY INTEGER"},
		{[]string{"activity", "--format", "csv", "-i", "events.csv"}, "2 of 2 are malformed; each must be a row of CSV"},
		{[]string{"accesslog", "-i", "mixed.log", "--split-size", "16KiB"}, ""},
		{[]string{"accesslog", "-i", "blank.log"}, ""},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			args := append([]string{}, c.args...)
			for i, arg := range args {
				if i > 0 && args[i-1] == "-i" {
					args[i] = filepath.Join(folder, arg)
				}
			}
			r := runJob(t, append(args, "-o", out)...)
			if c.want == "" {
				if r.code != exitDone {
					t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
				}
				return
			}
			if r.code != exitFailed || !strings.Contains(r.stderr, c.want) || !strings.Contains(r.stderr, "-p strict=true shows the first") {
				t.Errorf("exit code %d, want %q\n%s%s", r.code, c.want, r.stdout, r.stderr)
			}
			if names, err := os.ReadDir(out); err == nil && len(names) > 0 {
				t.Errorf("the output contains %v", names)
			}
		})
	}
}
