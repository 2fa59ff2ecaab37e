package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/api/client"
)

// defaultServer is where "bucketmill dev" and "bucketmill controller" listen by default.
const defaultServer = "http://127.0.0.1:8080"

// connection is what every client command is told of its server. What no flag says comes from
// the environment.
type connection struct {
	server string // URL, or HOST:PORT
	token  string // empty: none is sent
	ca     string // file of PEM certificates
	json   bool
}

func (c *connection) register(fs *pflag.FlagSet) {
	fs.StringVar(&c.server, "server", "", "URL of the server (default: BUCKETMILL_SERVER, else "+defaultServer+")")
	fs.StringVar(&c.token, "token", "", "bearer token (default: BUCKETMILL_TOKEN, which other users of this machine can't see, else that of your own \"bucketmill dev\" at that address)")
	fs.StringVar(&c.ca, "ca", "", "file of certificate authorities to trust besides the system's, PEM (default: BUCKETMILL_CA)")
	fs.BoolVar(&c.json, "json", false, "print the API's answers, as JSON")
}

// session is a client command at work.
type session struct {
	*client.Client
	server   string // as it was named
	json     bool
	out, err io.Writer
}

// clientCommand gives a command the flags of a connection, and runs it over one.
func clientCommand(cmd *cobra.Command, work func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	c := &connection{}
	c.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := c.open(cmd)
		if err != nil {
			return usageError{err}
		}
		return s.explain(work(cmd.Context(), s, args))
	}
	return cmd
}

// jobCommand is a clientCommand whose arguments name jobs, which the shell can then complete.
func jobCommand(cmd *cobra.Command, work func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	cmd = clientCommand(cmd, work)
	cmd.ValidArgsFunction = completeJobs
	return cmd
}

// open makes a session. It sends nothing yet.
func (c *connection) open(cmd *cobra.Command) (*session, error) {
	server := cmp.Or(c.server, os.Getenv(envPrefix+"SERVER"), defaultServer)
	transport, err := trusting(cmp.Or(c.ca, os.Getenv(envPrefix+"CA")))
	if err != nil {
		return nil, err
	}
	web := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // nobody else gets the token
	}}
	token, at := cmp.Or(c.token, os.Getenv(envPrefix+"TOKEN")), server
	if token == "" {
		secret, address, err := findLocalToken(server)
		if err != nil {
			return nil, err
		}
		if secret != "" {
			token, at = secret, address
		}
	}
	api, err := client.New(at, token, web)
	if err != nil {
		return nil, err
	}
	return &session{Client: api, server: server, json: c.json, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr()}, nil
}

// trusting returns a transport that trusts the authorities of a file too, if one is named.
func trusting(file string) (*http.Transport, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if file == "" {
		return transport, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // there are none
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("certificate authorities of %s: %w", file, errNoCertificate)
	}
	transport.TLSClientConfig.RootCAs = roots
	return transport, nil
}

var errNoCertificate = errors.New("there is no certificate in PEM form")
