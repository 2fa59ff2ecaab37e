package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/executor/program"
)

// launchCommand is what this binary becomes a program as: see program.Launch.
const launchCommand = "launch-program"

// programUserFlag says who programs of jobs run as.
type programUserFlag struct {
	text  string
	users *program.Users
}

func (f *programUserFlag) register(fs *pflag.FlagSet) {
	fs.Var(f, "program-user", "user that programs of jobs run as, USER[:GROUP], UID[:GID], or FIRST-LAST[:GID] for one of each slot (default: this process's own)")
}

// String returns the setting as it was given.
func (f *programUserFlag) String() string { return f.text }

// Set reads a setting; an empty one is the default.
func (f *programUserFlag) Set(text string) (err error) {
	f.text, f.users = text, nil
	if text != "" {
		f.users, err = program.ParseUsers(text)
	}
	return err
}

// Type names the setting in usage texts.
func (f *programUserFlag) Type() string { return "user" }

// check refuses users as whom this process can't run the programs of that many slots, and warns where nothing keeps
// programs from its credentials.
func (f *programUserFlag) check(slots int, log *slog.Logger) error {
	if f.users == nil {
		if os.Geteuid() == 0 {
			log.Warn("programs of jobs run as the superuser, like this process, and can read its credentials and all of this machine: start it as another user, or say --program-user")
		}
		return nil
	}
	if err := f.users.Check(); err != nil {
		return usageError{fmt.Errorf("--program-user %s: %w", f.text, err)}
	}
	if n := f.users.Count(); n > 1 && n < slots {
		return usageError{fmt.Errorf("--program-user %s: these are %d users for %d slots: give one for each slot, or one for all", f.text, n, slots)}
	}
	return nil
}

// admit lets programs of other users get to their folders.
func (f *programUserFlag) admit(scratch *program.Scratch) error {
	if f.users == nil {
		return nil
	}
	return scratch.Admit(f.users)
}
