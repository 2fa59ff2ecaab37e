package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A local token is the token of a "bucketmill dev" without a file of tokens. The server makes it
// when it starts, and keeps it until it ends in a file that only its user can read. Client commands
// of the same user find the file by the server's address; other users of the machine have no
// access.
//
// The token is sent only to the address at which the server listens. A name such as localhost may
// first lead to another user's server, for example at [::1]. So a command for localhost uses the
// address of the file instead.

// maxLocalToken is larger than the file of a local token, in bytes.
const maxLocalToken = 256

// localTokenFile returns the path of the file with the token of the server at an address (IP:PORT)
// of this machine.
func localTokenFile(address string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	host, err := os.Hostname() // several machines may share a home folder
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "bucketmill", "tokens", host, strings.ReplaceAll(address, ":", "_")), nil
}

// newSecret returns a random secret.
func newSecret() string { return rand.Text() }

// saveLocalToken saves the token of the server at an address, and returns the path of the file.
func saveLocalToken(address, secret string) (name string, err error) {
	if name, err = localTokenFile(address); err != nil {
		return "", err
	}
	folder := filepath.Dir(name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(folder, ".new-*") // with mode 0600
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(file, secret+"\n")
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return name, nil
}

// dropLocalToken removes the file of a token, unless another server has replaced the token.
func dropLocalToken(name, secret string) error {
	if current, err := readLocalToken(name); err != nil || current != secret {
		return nil //nolint:nilerr // the file is gone, or is another server's
	}
	return os.Remove(name)
}

// readLocalToken reads the file of a token. It fails unless the file belongs to this user, and no
// other user can read or write it.
func readLocalToken(name string) (secret string, err error) {
	info, err := os.Lstat(name)
	if err != nil {
		return "", err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || !ok || int(owner.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s is not a file that only this user can read: remove it", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err := io.ReadAll(io.LimitReader(file, maxLocalToken))
	return strings.TrimSpace(string(text)), err
}

// findLocalToken returns the token of a server of this user, and the server's URL; "" if there is
// no token.
func findLocalToken(server string) (secret, at string, err error) {
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", "", nil //nolint:nilerr // package client reports the invalid URL
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	addresses := []string{u.Hostname()}
	if u.Hostname() == "localhost" {
		addresses = []string{"127.0.0.1", "::1"}
	}
	for _, address := range addresses {
		if ip, err := netip.ParseAddr(address); err != nil || !ip.IsLoopback() {
			continue
		}
		address = net.JoinHostPort(address, port)
		name, err := localTokenFile(address)
		if err != nil {
			return "", "", nil //nolint:nilerr // without a home folder there is no token
		}
		secret, err := readLocalToken(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", "", err
		}
		if u.Scheme == "http" { // with TLS the certificate, which has the name, identifies the server
			u.Host = address
		}
		return secret, u.String(), nil
	}
	return "", "", nil
}

// announceLocalToken saves the token where this user's commands find it, and prints where. It
// prints the token itself only to a terminal, since others may read a log, or if it can't save the
// token. The server must call forget when it ends.
func announceLocalToken(address, secret string, to io.Writer) (forget func() error, err error) {
	name, err := saveLocalToken(address, secret)
	if err != nil {
		_, writeErr := fmt.Fprintf(to, "bucketmill: the token of this server is %s; it can't be saved for your other commands (%v): pass it to them with BUCKETMILL_TOKEN\n", secret, err)
		return func() error { return nil }, writeErr
	}
	where := "in " + name
	if isTerminal(to) {
		where = secret + ", saved " + where
	}
	_, err = fmt.Fprintf(to, "bucketmill: the token of this server is %s; your bucketmill commands find it there\n", where)
	return func() error { return dropLocalToken(name, secret) }, err
}

func isTerminal(w io.Writer) bool {
	return terminalOf(w) != nil
}
