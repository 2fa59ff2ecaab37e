package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func newHealthCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "health URL",
		Short: "Check the health of a service, for images without curl",
		Args:  exactArgs(1, "one URL, such as http://127.0.0.1:8080/readyz"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, args[0], nil)
			if err != nil {
				return usageError{err}
			}
			client := http.Client{Timeout: 5 * time.Second}
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, resp.Body.Close()) }()
			text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
			if err != nil {
				return err
			}
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("%s: %s: %s", args[0], resp.Status, text)
			}
			return nil
		},
	}
}
