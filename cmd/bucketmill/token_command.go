package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api/server"
)

// minSecret is the least length of a secret from standard input: the server does not slow down
// guesses.
const minSecret = 20

func newTokenCommand() *cobra.Command {
	var (
		file  string
		stdin bool
	)
	cmd := &cobra.Command{
		Use:   "token NAME ROLE",
		Short: "Make a token for the HTTP API: a secret, and the line for the server's --tokens file",
		Long: `Token makes a secret for NAME. It prints the line for the file of a server's --tokens on standard output, and the
secret, only this once, on standard error: give the secret to NAME, whose commands read it from BUCKETMILL_TOKEN. The
file contains only its hash.

ROLE is read (read jobs, executors and objects), submit (also submit, cancel and retry jobs, write objects) or
admin (everything). A job is code that runs on the executors: see docs/security.md.`,
		Example: `  bucketmill token alice admin --file tokens
  bucketmill token ci submit --stdin < secret >> tokens`,
		Args: exactArgs(2, "NAME and ROLE"),
	}
	cmd.Flags().StringVar(&file, "file", "", "append the line to this file, instead of printing it; a new file is readable only by you")
	cmd.Flags().BoolVar(&stdin, "stdin", false, "read the secret from the first line of standard input, and don't print it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		secret := newSecret()
		if stdin {
			var err error
			if secret, err = readSecret(cmd.InOrStdin()); err != nil {
				return err
			}
		}
		line := fmt.Sprintf("%s %s %s\n", args[0], args[1], server.HashToken(secret))
		if tokens, err := server.ParseTokens(line); err != nil || len(tokens) != 1 || tokens[0].Name != args[0] {
			if err == nil {
				err = fmt.Errorf("%q is not a valid name: use one word that does not begin with #", args[0])
			}
			return usageError{err}
		}
		if err := writeToken(cmd.OutOrStdout(), file, line); err != nil || stdin {
			return err
		}
		_, err := fmt.Fprintf(cmd.ErrOrStderr(), "bucketmill: the secret of %s, shown only now: %s\n", args[0], secret)
		return err
	}
	return cmd
}

// readSecret reads a secret that the user has made.
func readSecret(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimSpace(line)
	if len(line) < minSecret {
		return "", usageError{fmt.Errorf("the secret has only %d characters: use at least %d random ones", len(line), minSecret)}
	}
	return line, nil
}

// writeToken prints the line of a token, or appends it to a file.
func writeToken(out io.Writer, file, line string) (err error) {
	if file == "" {
		_, err = io.WriteString(out, line)
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	_, err = io.WriteString(f, line)
	return err
}
