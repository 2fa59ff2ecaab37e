package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bucketmill/bucketmill/api/server"
)

const (
	// maxTokensFile is the largest file of tokens, in bytes.
	maxTokensFile = 1 << 20
	// tokensInterval is how often the file is read. It is read each time, since its modification
	// time may stay the same when it is written twice.
	tokensInterval = 2 * time.Second
)

// tokensFile is the name of a file of tokens. An empty name, for example from an unset variable in
// a template, must not open the server to everyone.
type tokensFile string

func (f *tokensFile) String() string { return string(*f) }
func (f *tokensFile) Type() string   { return "string" }

func (f *tokensFile) Set(name string) error {
	if name == "" {
		return errors.New("the name of the file is empty; omit the setting if no token is required")
	}
	*f = tokensFile(name)
	return nil
}

// errNoTokenInFile says that a server would require tokens but admit no one.
var errNoTokenInFile = errors.New("the file contains no token, so the server would admit no one; \"bucketmill token NAME ROLE\" makes one")

// authenticates reports whether the server requires tokens.
func (f *apiFlags) authenticates() bool { return f.tokens != "" || f.secret != "" }

// readTokens returns the tokens with which the server starts, or nil if it requires none.
func (f *apiFlags) readTokens() ([]server.Token, error) {
	if f.secret != "" {
		return []server.Token{{Name: "local", Role: server.RoleAdmin, Hash: server.HashToken(f.secret)}}, nil
	}
	if f.tokens == "" {
		return nil, nil
	}
	text, err := readTokensFile(f.tokens)
	if err != nil {
		return nil, usageError{fmt.Errorf("read tokens: %w", err)}
	}
	tokens, err := server.ParseTokens(text)
	if err == nil && len(tokens) == 0 {
		err = errNoTokenInFile
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("tokens of %s: %w", f.tokens, err)}
	}
	return tokens, nil
}

func readTokensFile(name string) (text string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data, err := io.ReadAll(io.LimitReader(file, maxTokensFile+1))
	if err == nil && len(data) > maxTokensFile {
		err = fmt.Errorf("%s has more than %d bytes", name, maxTokensFile)
	}
	return string(data), err
}

// followTokens passes the file of tokens to the server whenever it changes: after tokensInterval at
// the latest, or at once on a signal from hangup, which may be nil. A file that can't be read, or
// has an invalid line, changes nothing. A file without a token locks everyone out: that revokes all
// access.
func (f *apiFlags) followTokens(ctx context.Context, server *server.Server, log *slog.Logger, hangup <-chan os.Signal) error {
	if f.tokens == "" {
		return nil
	}
	tick := time.NewTicker(tokensInterval)
	defer tick.Stop()
	const nothing = "\x00"
	known := nothing // the text of the file, or why it can't be read
	for {
		text, err := readTokensFile(f.tokens)
		now := text
		if err != nil {
			now = nothing + err.Error()
		}
		if now != known {
			f.takeTokens(text, err, server, log)
			known = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			known = nothing // so that the log shows that the signal arrived
		case <-tick.C:
		}
	}
}

// onHangup returns a channel that receives SIGHUPs until ctx ends.
func onHangup(ctx context.Context) <-chan os.Signal {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { signal.Stop(hangup) })
	return hangup
}

// takeTokens passes the text of the file of tokens to the server, and logs that.
func (f *apiFlags) takeTokens(text string, err error, srv *server.Server, log *slog.Logger) {
	var tokens []server.Token
	if err == nil {
		tokens, err = server.ParseTokens(text)
	}
	if err == nil {
		err = srv.SetTokens(tokens)
	}
	switch {
	case err != nil:
		log.Error("the tokens can't be read again, so the earlier ones stay valid", "file", f.tokens, "error", err)
	case len(tokens) == 0:
		log.Warn("the file of tokens contains none, so no one is admitted", "file", f.tokens)
	default:
		log.Info("tokens were read", "file", f.tokens, "tokens", len(tokens))
	}
}
