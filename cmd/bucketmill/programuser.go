package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/executor/program/process"
)

// launchCommand is the hidden command with which this binary starts a program: see process.Launch.
const launchCommand = "launch-program"

// programUserFlag is the setting of the user as which programs of jobs run.
type programUserFlag struct {
	text  string
	users *process.Users
}

func (f *programUserFlag) register(fs *pflag.FlagSet) {
	fs.Var(f, "program-user", "user as which programs of jobs run: USER[:GROUP], UID[:GID], or FIRST-LAST[:GID] for one user per slot (default: the user of this process)")
}

// String returns the setting as it was given.
func (f *programUserFlag) String() string { return f.text }

// Set parses a setting; an empty one is the default.
func (f *programUserFlag) Set(text string) (err error) {
	f.text, f.users = text, nil
	if text != "" {
		f.users, err = process.ParseUsers(text)
	}
	return err
}

// Type names the setting in usage texts.
func (f *programUserFlag) Type() string { return "user" }

// check refuses users as which this process can't run the programs of this number of slots. It
// warns if programs could read the credentials of this process.
func (f *programUserFlag) check(slots int, log *slog.Logger) error {
	if f.users == nil {
		if os.Geteuid() == 0 {
			log.Warn("programs of jobs run as the superuser, like this process, and can read its credentials and everything on this machine: start it as another user, or set --program-user")
		}
		return nil
	}
	if err := f.users.Check(); err != nil {
		return usageError{fmt.Errorf("--program-user %s: %w", f.text, err)}
	}
	if n := f.users.Count(); n > 1 && n < slots {
		return usageError{fmt.Errorf("--program-user %s has %d users for %d slots: use one for each slot, or one for all", f.text, n, slots)}
	}
	return nil
}

// admit gives programs of other users access to their folders.
func (f *programUserFlag) admit(scratch *process.Scratch) error {
	if f.users == nil {
		return nil
	}
	return scratch.Admit(f.users)
}
