package main

import (
	"fmt"
	"net/url"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/bucketmill/bucketmill/state"
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

// readConfig fills flags that were not given.
func readConfig(fs *pflag.FlagSet, path string, lookup func(string) (string, bool)) error {
	file := map[string]any{}
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			return fmt.Errorf("read settings of %s: %w", path, err)
		}
	}
	for name := range file {
		if fs.Lookup(name) == nil || notSettings[name] {
			return fmt.Errorf("%s: there is no setting %q", path, name)
		}
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
		switch value := file[f.Name].(type) {
		case nil:
		case []any:
			for _, v := range value {
				set(f, fmt.Sprint(v), path)
			}
		default:
			set(f, fmt.Sprint(value), path)
		}
	})
	return first
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
