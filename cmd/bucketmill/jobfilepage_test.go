package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The page on the job file names the flag of each field, and all flags that describe a job.
func TestPageHasAllFlagsOfJobs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/job-file.md")
	if err != nil {
		t.Fatal(err)
	}
	fs := pflag.NewFlagSet("job", pflag.ContinueOnError)
	(&jobFlags{}).register(fs)
	var want, got []string
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Name != "file" && f.Name != "param" { // the file itself; -p on the page
			want = append(want, f.Name)
		}
	})
	for _, row := range regexp.MustCompile("(?m)^\\| `[a-z_]+` \\|.*$").FindAllString(string(page), -1) {
		column := strings.Split(row, "|")[4]
		for _, name := range regexp.MustCompile("--([a-z-]+)`").FindAllStringSubmatch(column, -1) {
			got = append(got, name[1])
		}
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("the page has the flags\n%q, but there are\n%q", got, want)
	}
}
