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

// defaultServer is the default address of "bucketmill dev" and "bucketmill controller".
const defaultServer = "http://127.0.0.1:8080"

// connection has the flags with which every client command reaches its server. A flag that is not
// given is read from the environment.
type connection struct {
	server string // URL, or HOST:PORT
	token  string // empty: no token is sent
	ca     string // file of PEM certificates
	json   bool
}

func (c *connection) register(fs *pflag.FlagSet) {
	fs.StringVar(&c.server, "server", "", "URL of the server (default: BUCKETMILL_SERVER, else "+defaultServer+")")
	fs.StringVar(&c.token, "token", "", "bearer token (default: BUCKETMILL_TOKEN, which other users of this machine can't see, else the token of your \"bucketmill dev\" at that address)")
	fs.StringVar(&c.ca, "ca", "", "PEM file of certificate authorities to trust in addition to the system's (default: BUCKETMILL_CA)")
	fs.BoolVar(&c.json, "json", false, "print the answers of the API as JSON")
}

// session is one run of a client command.
type session struct {
	*client.Client
	server   string // as the user named it
	json     bool
	out, err io.Writer
}

// clientCommand adds the flags of a connection to a command, and runs work with a session.
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

// jobCommand is a clientCommand whose arguments name jobs. The shell can complete them.
func jobCommand(cmd *cobra.Command, work func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	cmd = clientCommand(cmd, work)
	cmd.ValidArgsFunction = completeJobs
	return cmd
}

// open returns a session. It sends nothing.
func (c *connection) open(cmd *cobra.Command) (*session, error) {
	server := cmp.Or(c.server, os.Getenv(envPrefix+"SERVER"), defaultServer)
	transport, err := trusting(cmp.Or(c.ca, os.Getenv(envPrefix+"CA")))
	if err != nil {
		return nil, err
	}
	web := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // no other server gets the token
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

// trusting returns a transport. If file is not empty, the transport also trusts the authorities in
// that file.
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
		roots = x509.NewCertPool() // the system has none
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("certificate authorities of %s: %w", file, errNoCertificate)
	}
	transport.TLSClientConfig.RootCAs = roots
	return transport, nil
}

var errNoCertificate = errors.New("the file contains no PEM certificate")
