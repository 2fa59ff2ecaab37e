package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/bucketmill/bucketmill/job/yamltext"
	"github.com/bucketmill/bucketmill/state"
)

// A service reads a setting from the first of these that has it: its flag; the environment variable
// BUCKETMILL_ and the flag's name in capitals, with _ for -; a YAML file, whose keys are the names
// of the flags; the default.

const envPrefix = "BUCKETMILL_"

// notSettings are flags that are not settings.
var notSettings = map[string]bool{"config": true, "print-config": true, "help": true, "cpuprofile": true}

// secretSettings are never printed.
var secretSettings = map[string]bool{"token": true, "webhook-secret": true}

// addConfig adds the environment and a file as sources of a service's settings. The command checks
// the settings before it calls service, or prints them.
func addConfig(cmd *cobra.Command, check func(context.Context) error, service func(*cobra.Command) error) {
	fs := cmd.Flags()
	path := fs.String("config", os.Getenv(envPrefix+"CONFIG"), "YAML file of settings, named like the flags; flags and BUCKETMILL_* variables override it")
	show := fs.Bool("print-config", false, "print all settings as a file for --config, without secrets; check them, and exit")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := readConfig(fs, *path, os.LookupEnv); err != nil {
			return usageError{err}
		}
		if *show {
			if err := printConfig(cmd.OutOrStdout(), fs); err != nil {
				return err
			}
		}
		if err := check(cmd.Context()); err != nil || *show {
			return err
		}
		return service(cmd)
	}
}

// readConfig sets the flags that were not given. The value of a setting is its text in the file,
// even if YAML treats this text as a number or a date.
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
	file := map[string]yamltext.Field{}
	for _, f := range fields {
		if fs.Lookup(f.Name) == nil || notSettings[f.Name] {
			return fmt.Errorf("%s: line %d: there is no setting %q", path, f.Line, f.Name)
		}
		file[f.Name] = f
	}
	var first error
	set := func(f *pflag.Flag, value, from string) {
		err := fs.Set(f.Name, value)
		if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
			err = valueError(f, value, errors.Unwrap(invalid))
		}
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %s: %w", from, f.Name, err)
		}
	}
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed || notSettings[f.Name] {
			return
		}
		name := variable(f.Name)
		if value, ok := lookup(name); ok {
			set(f, value, name)
			return
		}
		field := file[f.Name]
		list, several := f.Value.(pflag.SliceValue)
		switch {
		case several && field.List: // Replace keeps an item with a comma whole
			f.Changed = true
			if err := list.Replace(field.Values); err != nil && first == nil {
				first = fmt.Errorf("%s: %s: %w", path, f.Name, err)
			}
			return
		case len(field.Values) > 1 && first == nil:
			first = fmt.Errorf("%s: %s takes one value, not %d", path, f.Name, len(field.Values))
		}
		for _, value := range field.Values {
			set(f, value, path)
		}
	})
	return first
}

// maxFile is the largest size of job files and files of settings, in bytes.
const maxFile = 16 << 20

// readLimited reads a file of at most maxFile bytes.
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

// printConfig writes the settings as a file for --config. It omits settings that are empty by
// default.
func printConfig(w io.Writer, fs *pflag.FlagSet) (err error) {
	fs.VisitAll(func(f *pflag.Flag) { // by name
		value := f.Value.String()
		list, several := f.Value.(pflag.SliceValue)
		switch {
		case err != nil, notSettings[f.Name], value == "" && f.DefValue == "", several && len(list.GetSlice()) == 0:
		case secretSettings[f.Name]:
			_, err = fmt.Fprintf(w, "# %s is set, but not shown\n", f.Name)
		default:
			var text []byte
			if text, err = yaml.Marshal(map[string]*yaml.Node{f.Name: settingNode(f)}); err == nil {
				_, err = w.Write(text)
			}
		}
	})
	if err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	return nil
}

// settingNode returns a flag's value in YAML: a number, a boolean, a text or a list of texts.
func settingNode(f *pflag.Flag) *yaml.Node {
	n := &yaml.Node{}
	if list, several := f.Value.(pflag.SliceValue); several {
		n.Kind = yaml.SequenceNode
		for _, item := range list.GetSlice() {
			text := &yaml.Node{}
			text.SetString(masked(f.Name, item))
			n.Content = append(n.Content, text)
		}
		return n
	}
	n.SetString(masked(f.Name, f.Value.String()))
	switch f.Value.Type() {
	case "int", "uint64", "float64", "bool":
		n.Tag = "" // YAML finds the type in the text
	}
	return n
}

// masked hides passwords in URLs.
func masked(name, value string) string {
	if name == "redis" {
		return state.RedactURL(value)
	}
	if u, err := url.Parse(value); err == nil && u.User != nil {
		return u.Redacted()
	}
	return value
}
