package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
)

func newExecutorsCommand() *cobra.Command {
	return clientCommand(&cobra.Command{
		Use:   "executors",
		Short: "List the executors and what they do",
		Args:  exactArgs(0, "no arguments"),
	}, func(ctx context.Context, s *session, _ []string) error {
		list, err := s.Executors(ctx)
		if err != nil {
			return err
		}
		if s.json {
			return printList(s.out, "executors", withoutErrors(list))
		}
		return printTable(s.out, "ID HOST STATE SLOTS CPU MEMORY SEEN VERSION", withoutErrors(list), executorCells)
	})
}

func executorCells(e api.Executor) []string {
	doing := "idle"
	switch {
	case e.Draining:
		doing = "draining"
	case e.Benched != nil:
		doing = "benched"
	case len(e.Running) > 0:
		doing = "busy"
	}
	return []string{
		string(e.ID), e.Host, doing, fmt.Sprintf("%d/%d", len(e.Running), e.Slots),
		fmt.Sprintf("%.1f", e.CPU), size(e.Memory), ago(e.Seen), e.Version,
	}
}
