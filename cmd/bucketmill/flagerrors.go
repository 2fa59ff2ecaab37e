package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/executor/program"
)

// flagError says in words what is wrong with a flag, and which one may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		name := cmp.Or(unknown.GetSpecifiedShortnames(), unknown.GetSpecifiedName())
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := program.Nearest(name, names); near != "" {
			return fmt.Errorf("%w: did you mean --%s?", err, near)
		}
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return fmt.Errorf("--%s %w", f.Name, valueError(f, invalid.GetValue(), errors.Unwrap(invalid)))
	}
	return err
}

// valueError says what a flag wants instead of a value that it does not take.
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
		want += " that is not so large"
	}
	return fmt.Errorf("%q: want %s", value, want)
}

// tooLarge tells whether a value is a whole number of more than 64 bits.
func tooLarge(value string) bool {
	_, err := strconv.ParseInt(value, 0, 64)
	return errors.Is(err, strconv.ErrRange)
}
