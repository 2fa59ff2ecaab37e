package main

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/executor/program/process"
)

// watchCommand is the hidden command that runs this binary as a watcher: see process.Scratch.Watch.
const watchCommand = "watch-scratch"

func newWatchCommand() *cobra.Command {
	return &cobra.Command{
		Use: watchCommand + " FOLDER", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Removes a scratch folder when standard input ends",
		RunE: func(cmd *cobra.Command, args []string) error {
			// A signal for the owner may go to all its processes, but this one must end last.
			signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			return process.Reclaim(cmd.InOrStdin(), args[0])
		},
	}
}

// makeWatchedScratch makes a scratch folder for programs. A watcher removes it if this process is
// killed.
func makeWatchedScratch(parent string, log *slog.Logger) (*process.Scratch, error) {
	scratch, err := makeScratch(parent, log)
	if err != nil {
		return nil, err
	}
	if err := scratch.Watch(watchCommand); err != nil {
		return nil, joinRemove(err, scratch)
	}
	return scratch, nil
}

// makeScratch makes a scratch folder for programs.
func makeScratch(parent string, log *slog.Logger) (*process.Scratch, error) {
	scratch, err := process.MakeScratch(parent)
	if err == nil && scratch.Left != nil {
		log.Warn("scratch folders of processes that were killed can't be removed", "error", scratch.Left)
	}
	return scratch, err
}
