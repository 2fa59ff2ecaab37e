package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/job/yamltext"
)

// flagError explains what is wrong with a flag, and suggests the flag that was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := cmp.Or(unknown.GetSpecifiedShortnames(), unknown.GetSpecifiedName())
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := yamltext.Nearest(name, names); near != "" {
			return fmt.Errorf("%w: did you mean --%s?", err, near)
		}
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		f := invalid.GetFlag()
		return fmt.Errorf("--%s %w", f.Name, valueError(f, invalid.GetValue(), errors.Unwrap(invalid)))
	}
	return err
}

// valueError says which values a flag accepts instead of this one.
func valueError(f *pflag.Flag, value string, cause error) error {
	want := map[string]string{
		"int": "a whole number", "uint64": "a whole number, 0 or more", "float64": "a number",
		"bool": "true or false", "duration": "a duration such as 90s or 10m",
	}[f.Value.Type()]
	switch {
	case f.Name == "log-level":
		want = "DEBUG, INFO, WARN or ERROR"
	case want == "" && strings.Contains(cause.Error(), strconv.Quote(value)):
		return cause
	case want == "":
		return fmt.Errorf("%q: %w", value, cause)
	case tooLarge(value):
		want += " of at most 64 bits"
	}
	return fmt.Errorf("%q is not valid: use %s", value, want)
}

// tooLarge reports whether a value is a whole number of more than 64 bits.
func tooLarge(value string) bool {
	_, err := strconv.ParseInt(value, 0, 64)
	return errors.Is(err, strconv.ErrRange)
}
