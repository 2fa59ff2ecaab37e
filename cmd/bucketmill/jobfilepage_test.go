package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The page about the job file names the flag of each field, and all flags that describe a job.
func TestPageHasAllFlagsOfJobs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/job-file.md")
	if err != nil {
		t.Fatal(err)
	}
	fs := pflag.NewFlagSet("job", pflag.ContinueOnError)
	(&jobFlags{}).register(fs)
	want, got := []string{"webhook"}, []string(nil) // only submit has this flag
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Name != "file" && f.Name != "param" { // the file itself, and -p, which the page names
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

// Each setting that the page about operating a cluster names is a setting of some command.
func TestPageNamesSettingsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, cmd := range newRootCommand().Commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known["--"+f.Name] = true })
	}
	foreign := []string{"--from-env-file", "--from-file", "--no-install-recommends"} // flags of kubectl and apt-get
	names := regexp.MustCompile(`--[a-z][a-z0-9-]+|BUCKETMILL_[A-Z0-9_]+`).FindAllString(string(page), -1)
	if len(names) < 20 {
		t.Fatalf("only %d settings were found", len(names))
	}
	for _, name := range names {
		flag := "--" + strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, envPrefix), "_", "-"))
		if strings.HasPrefix(name, "--") {
			flag = name
		}
		if !known[flag] && !slices.Contains(foreign, name) {
			t.Errorf("there is no setting %s", name)
		}
	}
}
