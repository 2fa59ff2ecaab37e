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
	// tokensInterval is how often the file is looked at. It is so short that it is read: a time of modification may
	// stay the same when a file is written twice.
	tokensInterval = 2 * time.Second
)

// tokensFile is the name of a file of tokens. An empty name, as an unset variable in a template gives it, must not
// open the server to everybody.
type tokensFile string

func (f *tokensFile) String() string { return string(*f) }
func (f *tokensFile) Type() string   { return "string" }

func (f *tokensFile) Set(name string) error {
	if name == "" {
		return errors.New("it names no file: leave the setting out where nobody is to be asked for a token")
	}
	*f = tokensFile(name)
	return nil
}

// errNoTokenInFile is that a server was told to ask for tokens, and would admit nobody.
var errNoTokenInFile = errors.New("it has no token: nobody could be admitted; \"bucketmill token NAME ROLE\" makes one")

// authenticates tells whether the server asks for tokens.
func (f *apiFlags) authenticates() bool { return f.tokens != "" || f.secret != "" }

// readTokens reads the tokens that the server starts with; nil: it asks for none.
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

// followTokens has the server admit whom the file of tokens names, also once it changes: at the latest after
// tokensInterval, or at once when hangup says so (nil: never). A file that can't be read, or has a line that is none,
// changes nothing. One without a token locks everybody out: that is how access is taken away.
func (f *apiFlags) followTokens(ctx context.Context, server *server.Server, log *slog.Logger, hangup <-chan os.Signal) error {
	if f.tokens == "" {
		return nil
	}
	tick := time.NewTicker(tokensInterval)
	defer tick.Stop()
	const nothing = "\x00"
	known := nothing // of the file: its text, or why it can't be read
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
			known = nothing // so that the log says that the signal has come
		case <-tick.C:
		}
	}
}

// onHangup returns where SIGHUPs arrive until ctx ends.
func onHangup(ctx context.Context) <-chan os.Signal {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { signal.Stop(hangup) })
	return hangup
}

// takeTokens admits whom the text of the file of tokens names, and says so.
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
		log.Error("the tokens can't be read again: those from before stay", "file", f.tokens, "error", err)
	case len(tokens) == 0:
		log.Warn("the file of tokens has none: nobody is admitted", "file", f.tokens)
	default:
		log.Info("tokens are read", "file", f.tokens, "tokens", len(tokens))
	}
}
