package state

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/state/embedded"
)

// lookalike serves Redis's protocol with the replies of answer, which gets the words of a command,
// the first of them in capitals. It returns the server's URL.
func lookalike(t *testing.T, answer func(words []string) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		must(t, listener.Close())
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					words, err := readCommand(r)
					if err != nil {
						return
					}
					words[0] = strings.ToUpper(words[0])
					if _, err := io.WriteString(conn, answer(words)); err != nil {
						return
					}
				}
			})
		}
	})
	return "redis://" + listener.Addr().String() + "?max_retries=-1&read_timeout=1s"
}

// readCommand reads a list of texts.
func readCommand(r *bufio.Reader) ([]string, error) {
	number := func(prefix string) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), prefix))
	}
	n, err := number("*")
	if err != nil || n < 1 {
		return nil, fmt.Errorf("%d words: %w", n, err)
	}
	words := make([]string, n)
	for i := range words {
		size, err := number("$")
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(r, text); err != nil {
			return nil, err
		}
		words[i] = string(text[:size])
	}
	return words, nil
}

// A server that speaks Redis's protocol but cannot do what we need is refused at the start, in one
// sentence, whatever it reports about itself.
func TestServersThatOnlyLookLikeRedis(t *testing.T) {
	t.Parallel()
	greet := func(words []string) string {
		switch words[0] {
		case "HELLO":
			return "-ERR unknown command 'hello'\r\n"
		case "PING":
			return "+PONG\r\n"
		case "CLIENT", "COMMAND":
			return "+OK\r\n"
		}
		return fmt.Sprintf("-ERR unknown command (%s)\r\n", strings.ToLower(words[0]))
	}
	scripts := func(reply string) func(words []string) string {
		return func(words []string) string {
			if words[0] == "EVALSHA" {
				return reply
			}
			return greet(words)
		}
	}
	good := "*4\r\n$2\r\nok\r\n$13\r\n1700000000000\r\n$10\r\né {x} 1e3\r\n:1\r\n"
	for name, c := range map[string]struct {
		answer  func(words []string) string
		refused string
	}{
		"no scripts":               {greet, "it cannot run scripts like ours: ERR unknown command (evalsha)"},
		"no scripts, and tells so": {scripts("-ERR syntax error ()\r\n"), "cannot run scripts like ours: ERR syntax error ()"},
		"no clock in scripts":      {scripts("-ERR Write commands not allowed after non deterministic commands\r\n"), "non deterministic"},
		"integers become texts":    {scripts(strings.Replace(good, ":1", "$1\r\n1", 1)), "script fit answers"},
		"nothing comes back":       {scripts("*-1\r\n"), "script fit answers"},
		"a text comes back":        {scripts("$2\r\nok\r\n"), "script fit answers"},
		"other bytes come back":    {scripts(strings.Replace(good, "1e3", "1E3", 1)), "the text is another"},
		"no lists":                 {scripts(good), "unknown command (rpush)"},
		"no wait on a list": {func(words []string) string {
			if words[0] == "RPUSH" {
				return ":1\r\n"
			}
			return scripts(good)(words)
		}, "it cannot wait on a list (BLPOP): ERR unknown command (blpop)"},
		"KeyDB with threads": {func(words []string) string {
			if words[0] == "INFO" {
				text := "# Server\r\nredis_version:6.3.4\r\n# CPU\r\nserver_threads:2\r\n# KeyDB\r\nmvcc_depth:0\r\n"
				return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
			}
			return greet(words)
		}, "it is KeyDB with 2 threads, which hangs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Connect(t.Context(), lookalike(t, c.answer), "test")
			must(t, err)
			defer func() { must(t, s.Close()) }()
			err = s.CheckServer(t.Context(), slog.New(slog.DiscardHandler))
			if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %q", err, c.refused)
			}
		})
	}
}

// A full server cannot be tested, which is no reason to refuse it.
func TestFullServerIsTaken(t *testing.T) {
	t.Parallel()
	s, err := Connect(t.Context(), lookalike(t, func(words []string) string {
		if words[0] == "PING" {
			return "+PONG\r\n"
		}
		return "-OOM command not allowed when used memory > 'maxmemory'.\r\n"
	}), "test")
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.CheckServer(t.Context(), slog.New(slog.DiscardHandler)))
}

func TestMuteServer(t *testing.T) {
	t.Parallel()
	_, err := Connect(t.Context(), lookalike(t, func([]string) string { return "" }), "test")
	if err == nil || !strings.Contains(err.Error(), "it accepts connections but does not answer like a Redis") {
		t.Errorf("%v", err)
	}
}

// Our embedded server passes, and nothing of the trial remains.
func TestEmbeddedServerIsFit(t *testing.T) {
	t.Parallel()
	e, err := embedded.Start()
	must(t, err)
	defer e.Close()
	s := connectTo(t, e.URL())
	must(t, s.try(t.Context()))
	if keys, err := s.rdb.Keys(t.Context(), "*").Result(); err != nil || len(keys) > 0 {
		t.Errorf("left: %q, %v", keys, err)
	}
}
