package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/state/yamltext"
)

// Services take their settings from, in this order: flags, environment (BUCKETMILL_ and the
// flag's name in capitals, with _ for -), a YAML file (keys are the flags' names), defaults.

const envPrefix = "BUCKETMILL_"

// notSettings are flags that say how to read settings, not what they are.
var notSettings = map[string]bool{"config": true, "print-config": true, "help": true, "cpuprofile": true}

// secretSettings are printed masked.
var secretSettings = map[string]bool{"token": true, "webhook-secret": true}

// addConfig lets a service's settings come from the environment and a file as well, before
// service runs.
func addConfig(cmd *cobra.Command, service func(*cobra.Command) error) {
	fs := cmd.Flags()
	path := fs.String("config", os.Getenv(envPrefix+"CONFIG"), "YAML file of settings, named like the flags; flags and BUCKETMILL_* variables win over it")
	show := fs.Bool("print-config", false, "print the settings in force, secrets masked, and exit")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := readConfig(fs, *path, os.LookupEnv); err != nil {
			return usageError{err}
		}
		if *show {
			return printConfig(cmd, fs)
		}
		return service(cmd)
	}
}

// readConfig fills flags that were not given. In the file, a setting is the text that stands there, be it
// one that YAML takes for a number or a date.
func readConfig(fs *pflag.FlagSet, path string, lookup func(string) (string, bool)) error {
	var fields []yamltext.Field
	if path != "" {
		text, err := readLimited(path)
		if err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
		if fields, err = yamltext.Fields(text); err != nil {
			return fmt.Errorf("read settings of %s: %w", path, err)
		}
	}
	file := map[string][]string{}
	for _, f := range fields {
		if fs.Lookup(f.Name) == nil || notSettings[f.Name] {
			return fmt.Errorf("%s: line %d: there is no setting %q", path, f.Line, f.Name)
		}
		file[f.Name] = f.Values
	}
	var first error
	set := func(f *pflag.Flag, value, from string) {
		if err := fs.Set(f.Name, value); err != nil && first == nil {
			first = fmt.Errorf("%s: %s: %w", from, f.Name, err)
		}
	}
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed || notSettings[f.Name] {
			return
		}
		variable := envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := lookup(variable); ok {
			set(f, value, variable)
			return
		}
		values := file[f.Name]
		if _, several := f.Value.(pflag.SliceValue); len(values) > 1 && !several && first == nil {
			first = fmt.Errorf("%s: %s takes one value, and the file has %d", path, f.Name, len(values))
		}
		for _, value := range values {
			set(f, value, path)
		}
	})
	return first
}

// maxFile bounds job files and files of settings, in bytes.
const maxFile = 16 << 20

// readLimited reads a small file.
func readLimited(path string) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if text, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return text, err
}

func printConfig(cmd *cobra.Command, fs *pflag.FlagSet) error {
	settings := map[string]string{}
	fs.VisitAll(func(f *pflag.Flag) {
		if !notSettings[f.Name] {
			settings[f.Name] = masked(f.Name, f.Value.String())
		}
	})
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		line, err := yaml.Marshal(map[string]string{name: settings[name]})
		if err != nil {
			return fmt.Errorf("print settings: %w", err)
		}
		fmt.Fprint(cmd.OutOrStdout(), string(line))
	}
	return nil
}

// masked hides secrets, and passwords in URLs.
func masked(name, value string) string {
	if secretSettings[name] && value != "" {
		return "*****"
	}
	if name == "redis" {
		return state.RedactURL(value)
	}
	if u, err := url.Parse(value); err == nil && u.User != nil {
		return u.Redacted()
	}
	return value
}
