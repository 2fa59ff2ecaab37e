package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"
)

// profile writes a CPU profile of the command to path, for "go tool pprof".
func profile(path string, command func() error) (err error) {
	if path == "" {
		return command()
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return command()
}

// addProfileFlag adds --cpuprofile to a command.
func addProfileFlag(cmd *cobra.Command) {
	path := cmd.Flags().String("cpuprofile", "", "write a CPU profile to this file, for go tool pprof")
	inner := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile(*path, func() error { return inner(cmd, args) })
	}
}
